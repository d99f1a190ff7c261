// OpenAI's endpoints for pictures, sound, moderation, and reranking as compatible providers have it. One answer each, and streams where OpenAI has them.

import { wrong } from '../checks/fields.mjs';
import { readForm } from '../multipart.mjs';
import { compose, count, quarter, wordsOf } from '../said.mjs';
import { digits, framed, named, sse } from '../wire.mjs';
import { openai } from './openai.mjs';

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const SOUND_PER_TOKEN = 100; // bytes
const SOUND_PER_SECOND = 1_000; // bytes

const said = (plan, words) => compose(plan, { choices: 1, answered: true, prompt: count(words) });
const streamOf = (contents, tail) => ({ opening: Buffer.alloc(0), contents: contents.map(framed), tail: framed(tail), spare: 0, error: () => sse(openai.fault(500)) });
const hear = (body) => ({ model: body.model, own: body.metadata?.script });

// ---- pictures ---------------------------------------------------------------------------------------------------------------

/** `c<N>` output tokens a picture, `i<N>` input tokens; n pictures of one pixel. */
function pictures(plan, body, { created }, event) {
  const n = Number(body.n ?? 1);
  const shown = [body.image ?? []].flat().length + (body.mask ? 1 : 0);
  const input = plan.prompt ?? count(body.prompt) + shown;
  const output = plan.told ?? plan.chunks * n;
  const usage = plan.nousage ? null : {
    input_tokens: input, input_tokens_details: { image_tokens: Math.min(shown, input), text_tokens: input - Math.min(shown, input) },
    output_tokens: output, total_tokens: input + output,
  };
  const told = usage ? { usage } : {};
  const look = { background: 'opaque', output_format: body.output_format ?? 'png', quality: 'high', size: body.size && body.size !== 'auto' ? body.size : '1024x1024' };
  if (String(body.stream) === 'true') {
    const partial = (at) => named(`${event}.partial_image`, { type: `${event}.partial_image`, b64_json: PIXEL, created_at: created, ...look, partial_image_index: at });
    const contents = Array.from({ length: Number(body.partial_images ?? 0) }, (_, at) => partial(at));
    const done = { type: `${event}.completed`, b64_json: PIXEL, created_at: created, ...look, ...told };
    return { tokens: input, output, usage, events: streamOf(contents, named(done.type, done)) };
  }
  const one = (nth) => (body.response_format === 'url' ? { url: `https://example.com/${nth}.png` } : { b64_json: PIXEL });
  return { tokens: input, output, usage, body: { created, ...look, data: Array.from({ length: n }, (_, nth) => one(nth)), ...told } };
}

export const imageGenerations = {
  ...openai, name: 'images.generations', needs: 'prompt', model: 'gpt-image', hear,
  answer: (plan, body, who) => pictures(plan, body, who, 'image_generation'),
};
export const imageEdits = {
  ...openai, name: 'images.edits', needs: 'prompt', model: 'gpt-image', hear,
  read: (raw, req) => (/^application\/json/.test(req.headers['content-type'] ?? '') ? JSON.parse(raw.toString()) : readForm(raw, req)),
  check: (body) => ((body.image ?? body.images) === undefined ? wrong('Missing required parameter: \'image\'.', 'image') : null),
  answer: (plan, body, who) => pictures(plan, body, who, 'image_edit'),
};

// ---- sound ------------------------------------------------------------------------------------------------------------------

const SOUNDS = { mp3: 'audio/mpeg', opus: 'audio/opus', aac: 'audio/aac', flac: 'audio/flac', wav: 'audio/wav', pcm: 'audio/pcm' };

/** `c<N>` tokens of sound, 100 bytes each (or `s<N>` bytes); with `stream_format: "sse"` an event per token. */
export const speech = {
  ...openai, name: 'audio.speech', needs: 'input', hear,
  check: (body) => (body.voice === undefined ? wrong('Missing required parameter: \'voice\'.', 'voice') : null),
  answer(plan, body) {
    const tokens = plan.prompt ?? quarter(body.input);
    const usage = { input_tokens: tokens, output_tokens: plan.chunks, total_tokens: tokens + plan.chunks };
    if (body.stream_format === 'sse') {
      const delta = sse({ type: 'speech.audio.delta', audio: Buffer.alloc(SOUND_PER_TOKEN, 1).toString('base64') });
      const events = streamOf(Array(plan.chunks).fill(delta), sse({ type: 'speech.audio.done', ...(plan.nousage ? {} : { usage }) }));
      return { tokens, output: plan.chunks, usage: plan.nousage ? null : usage, events };
    }
    const data = Buffer.alloc(plan.size || plan.chunks * SOUND_PER_TOKEN, 1);
    return { tokens, output: plan.chunks, type: SOUNDS[body.response_format ?? 'mp3'] ?? 'audio/mpeg', body: data };
  },
};

/** Billed by the second (one per 1,000 bytes, or `i<N>`) if the model's name begins with `whisper`, else by the token. */
export const transcriptions = {
  ...openai, name: 'audio.transcriptions', needs: 'file', read: readForm, hear,
  answer(plan, body) {
    const words = said(plan, body.prompt ?? '');
    const text = wordsOf(words);
    const long = plan.prompt ?? Math.ceil(body.file.bytes / SOUND_PER_SECOND);
    const output = plan.told ?? words.tokens;
    const clock = { type: 'duration', seconds: long };
    const tokens = { type: 'tokens', input_tokens: long, input_token_details: { text_tokens: 0, audio_tokens: long }, output_tokens: output, total_tokens: long + output };
    const usage = plan.nousage ? null : body.model.startsWith('whisper') || body.response_format === 'verbose_json' ? clock : tokens;
    const told = usage ? { usage } : {};
    const made = { tokens: long, output, usage };
    if (body.stream === 'true') {
      const deltas = words.blocks.flatMap((block) => block.pieces).map((delta) => sse({ type: 'transcript.text.delta', delta }));
      return { ...made, events: streamOf(deltas, sse({ type: 'transcript.text.done', text, ...told }) + 'data: [DONE]\n\n') };
    }
    const stamp = `00:00:00.000 --> 00:00:${digits(Math.min(long, 59), 2)}.000`;
    const segment = { id: 0, seek: 0, start: 0, end: long, text, tokens: [1], temperature: 0, avg_logprob: -0.1, compression_ratio: 1, no_speech_prob: 0 };
    switch (body.response_format) {
      case 'text': return { ...made, usage: null, type: 'text/plain; charset=utf-8', body: `${text}\n` };
      case 'srt': return { ...made, usage: null, type: 'text/plain; charset=utf-8', body: `1\n${stamp.replaceAll('.', ',')}\n${text}\n\n` };
      case 'vtt': return { ...made, usage: null, type: 'text/plain; charset=utf-8', body: `WEBVTT\n\n${stamp}\n${text}\n\n` };
      case 'verbose_json': return { ...made, body: { task: 'transcribe', language: 'english', duration: long, text, segments: [segment], ...told } };
      default: return { ...made, body: { text, ...told } };
    }
  },
};
export const translations = { ...transcriptions, name: 'audio.translations' };

// ---- judgements -------------------------------------------------------------------------------------------------------------

const CATEGORIES = ['harassment', 'harassment/threatening', 'hate', 'hate/threatening', 'illicit', 'illicit/violent', 'self-harm', 'self-harm/instructions',
  'self-harm/intent', 'sexual', 'sexual/minors', 'violence', 'violence/graphic'];

/** An input is flagged, for violence, if it has the word "attack". */
export const moderations = {
  ...openai, name: 'moderations', needs: 'input', model: 'omni-moderation-latest', hear: (body) => ({ model: body.model ?? 'omni-moderation-latest' }),
  answer(plan, { input, model = 'omni-moderation-latest' }, { seq }) {
    const inputs = [input].flat();
    const results = (typeof inputs[0] === 'object' ? [JSON.stringify(inputs)] : inputs).map((text) => {
      const flagged = /\battack\b/.test(text);
      const each = (make) => Object.fromEntries(CATEGORIES.map((name) => [name, make(flagged && name === 'violence')]));
      return { flagged, categories: each((hit) => hit), category_scores: each((hit) => (hit
        ? 0.9 : 0.0001)), category_applied_input_types: each(() => ['text']) };
    });
    return { tokens: plan.prompt ?? count(input), body: { id: `modr-${digits(seq, 12)}`, model, results } };
  },
};

function ranked({ query, documents, top_n = documents.length }) {
  const textIn = (one) => (typeof one === 'string' ? one : one.text ?? JSON.stringify(one));
  const asked = new Set(query.toLowerCase().split(/\W+/));
  const score = (text) => text.toLowerCase().split(/\W+/).filter((word) => asked.has(word)).length / asked.size;
  return documents.map((one, index) => ({ index, text: textIn(one), relevance_score: Math.min(1, score(textIn(one))) }))
    .sort((a, b) => b.relevance_score - a.relevance_score || a.index - b.index).slice(0, top_n);
}

const isRerank = (body) => (typeof body.query === 'string' && Array.isArray(body.documents) ? null : wrong('query and documents are required', 'query'));
const rerankTokens = (plan, body) => plan.prompt ?? count(body.query, body.documents);

/** POST /v1/rerank as Jina and others have it: billed by the token. */
export const rerank = {
  ...openai, name: 'rerank', needs: 'documents', check: isRerank, hear,
  answer(plan, body, { seq }) {
    const tokens = rerankTokens(plan, body);
    const results = ranked(body).map(({ text, ...one }) => ({ ...one, ...(body.return_documents === false ? {} : { document: { text } }) }));
    const usage = plan.nousage ? null : { prompt_tokens: tokens, total_tokens: tokens };
    return { tokens, usage, body: { id: `rerank-${digits(seq, 12)}`, object: 'list', model: body.model, results, ...(usage && { usage }) } };
  },
};

/** POST /v2/rerank as Cohere has it: billed by the search. */
export const rerankSearch = {
  ...rerank, name: 'rerank.search',
  answer(plan, body, { seq }) {
    const results = ranked(body).map(({ index, relevance_score }) => ({ index, relevance_score }));
    const meta = { api_version: { version: '2' }, ...(plan.nousage ? {} : { billed_units: { search_units: 1 } }) };
    return { tokens: rerankTokens(plan, body), usage: meta.billed_units ?? null, body: { id: `rerank-${digits(seq, 12)}`, results, meta } };
  },
};
