// Google's Gemini: generateContent and its stream, countTokens, embedContent, batchEmbedContents and the models, made from what is said.
// Vertex AI speaks the same with other paths and another key.

import { admit, check, checkCount } from '../checks/gemini.mjs';
import { SIGNATURE, SOURCE, billOf, compose, count, quarter, textOf, wordsOf } from '../said.mjs';
import { digits, framed, sse } from '../wire.mjs';
import { MODELS, vector } from './openai.mjs';

const FINISH = { stop: 'STOP', length: 'MAX_TOKENS', tool: 'STOP', refusal: 'SAFETY' };
const ERRORS = {
  400: ['INVALID_ARGUMENT', 'Request contains an invalid argument.'],
  401: ['UNAUTHENTICATED', 'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.'],
  403: ['PERMISSION_DENIED', 'The caller does not have permission'],
  404: ['NOT_FOUND', 'The model is not found for API version v1beta, or is not supported for generateContent.'],
  429: ['RESOURCE_EXHAUSTED', 'Resource has been exhausted (e.g. check quota).'],
  499: ['CANCELLED', 'The operation was cancelled.'],
  500: ['INTERNAL', 'An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting'],
  503: ['UNAVAILABLE', 'The model is overloaded. Please try again later.'],
  504: ['DEADLINE_EXCEEDED', 'Deadline expired before operation could complete.'],
};

function fault(status, plan) {
  const [word, message] = ERRORS[status] ?? (status >= 500 ? ERRORS[500] : ERRORS[400]);
  const details = [];
  if (status === 429 && plan?.quota) {
    details.push({ '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ quotaMetric: 'generate_content_requests', quotaId: 'PerDay' }] });
  }
  if (plan?.retryAfter != null) details.push({ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${plan.retryAfter}s` });
  return { error: { code: status, message, status: word, ...(details.length > 0 && { details }) } };
}

const refuse = (status, message) => ({ error: { code: status, message, status: (ERRORS[status] ?? ERRORS[400])[0] } });

const heads = () => ({ 'x-content-type-options': 'nosniff', vary: 'Origin, X-Origin, Referer' });
const shared = { heads, fault, refuse, admit };

export const gemini = { ...shared, name: 'gemini', needs: 'contents', check, say: compose, hear, usage, whole, stream };

export const geminiCount = {
  ...shared, name: 'gemini.count', check: checkCount, hear: (body, route) => hear(body.generateContentRequest ?? body, route),
  answer(plan, body, { heard }) {
    const tokens = plan.prompt ?? heard.prompt;
    return { tokens, body: { totalTokens: tokens, promptTokensDetails: [{ modality: 'TEXT', tokenCount: tokens }] } };
  },
};

/** A field by either of the names that JSON for a protocol buffer may have: `topK` and `top_k`. */
const field = (object, name) => object?.[name] ?? object?.[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)];

function hear(body, route) {
  const config = field(body, 'generationConfig');
  const declared = (body.tools ?? []).flatMap((tool) => field(tool, 'functionDeclarations') ?? []);
  const last = [body.contents].flat().at(-1);
  return {
    model: route.model, cap: field(config, 'maxOutputTokens'), choices: field(config, 'candidateCount'), tool: declared[0]?.name ?? null,
    forced: field(field(body, 'toolConfig'), 'functionCallingConfig')?.mode === 'ANY',
    answered: (last?.parts ?? []).some((part) => field(part, 'functionResponse')), own: body.labels?.script,
    schema: field(config, 'responseMimeType') === 'application/json',
    prompt: count(field(body, 'systemInstruction'), body.contents, body.tools), streams: route.streams, tells: true, sse: route.sse,
    shown: field(field(config, 'thinkingConfig'), 'includeThoughts') === true,
  };
}

/** The usage; after `sent` tokens of every candidate, as each chunk of a stream tells it. Thoughts are told beside the candidates' tokens. */
export function usage(said, sent = said.tokens) {
  const bill = billOf(said, sent);
  const modes = [{ modality: 'TEXT', tokenCount: bill.input - bill.audioIn }];
  if (bill.audioIn > 0) modes.push({ modality: 'AUDIO', tokenCount: bill.audioIn });
  return {
    promptTokenCount: bill.input, candidatesTokenCount: bill.output - bill.thought, totalTokenCount: bill.input + bill.output,
    ...(bill.cached > 0 && { cachedContentTokenCount: bill.cached, cacheTokensDetails: [{ modality: 'TEXT', tokenCount: bill.cached }] }),
    ...(said.plan.tier && { trafficType: `ON_DEMAND_${said.plan.tier.toUpperCase()}` }), promptTokensDetails: modes, ...(bill.thought > 0 && { thoughtsTokenCount: bill.thought }),
  };
}

// ---- candidates -------------------------------------------------------------------------------------------------------------

const responseOf = (said, seq, sent, more) => ({
  ...more, ...(said.plan.nousage ? {} : { usageMetadata: usage(said, sent) }), modelVersion: said.model, responseId: `resp${digits(seq, 18)}`,
});

/** With thoughts, the first part after them is signed; a call that is not the first of its kind is not. */
const signed = (said, nth) => (said.thoughts.length > 0 && nth === 0 ? { thoughtSignature: SIGNATURE } : {});
const callOf = (block, seq) => ({ functionCall: { id: `fc${digits(seq, 8)}${block.nth}`, name: block.name, args: JSON.parse(textOf(block)) } });
const thoughtsIn = (said, heard) => heard.shown && said.thoughts.length > 0;

const searched = (said) => Array.from({ length: said.plan.searches }, (_, nth) => `scripted ${nth}`);
const grounding = (said) => (said.plan.searches > 0 ? { groundingMetadata: { webSearchQueries: searched(said) } } : said.cites ? {
  groundingMetadata: {
    groundingChunks: [{ web: { uri: SOURCE.url, title: SOURCE.title } }], webSearchQueries: ['scripted'],
    groundingSupports: [{ segment: { startIndex: 0, endIndex: Buffer.byteLength(wordsOf(said)), text: wordsOf(said) }, groundingChunkIndices: [0] }],
  },
} : {});

const safety = (said) => (said.finish === 'refusal'
  ? { safetyRatings: [{ category: 'HARM_CATEGORY_DANGEROUS_CONTENT', probability: 'HIGH', blocked: true }] } : {});

const ending = (said) => ({ finishReason: FINISH[said.finish], ...safety(said), ...grounding(said) });
const blocked = { promptFeedback: { blockReason: 'PROHIBITED_CONTENT' } };

function partsOf(said, { seq, heard }) {
  const parts = thoughtsIn(said, heard) ? [{ text: said.thoughts.join(''), thought: true }] : [];
  for (const [nth, block] of said.blocks.entries()) {
    if (block.kind !== 'tool') parts.push({ text: textOf(block), ...signed(said, nth) });
    else if (block.whole) parts.push({ ...callOf(block, seq), ...signed(said, nth) });
  }
  return parts;
}

function whole(said, who) {
  if (said.finish === 'filter') return JSON.stringify(responseOf(said, who.seq, 0, blocked));
  const parts = partsOf(said, who);
  const content = { ...(parts.length > 0 && { parts }), role: 'model' };
  const candidates = Array.from({ length: said.choices }, (_, index) => ({ content, ...ending(said), index }));
  return JSON.stringify(responseOf(said, who.seq, said.tokens, { candidates }));
}

/** As server-sent events, or (without `alt=sse`) as one JSON array that comes element by element. A call comes whole, with its last token. */
function stream(said, { seq, heard }) {
  let begun = false;
  const chunk = (sent, more) => {
    const data = responseOf(said, seq, sent, more);
    const before = begun ? ',\r\n' : '[';
    begun = true;
    return heard.sse ? sse(data) : before + JSON.stringify(data);
  };
  const candidate = (index, parts, more = {}) => ({ candidates: [{ content: { parts, role: 'model' }, ...more, index }] });
  const every = (make) => Array.from({ length: said.choices }, (_, index) => make(index));
  const opening = thoughtsIn(said, heard)
    ? every((index) => said.thoughts.map((text) => chunk(0, candidate(index, [{ text, thought: true }]))).join('')).join('') : '';
  const contents = [];
  let sent = 0;
  for (const [nth, block] of said.blocks.entries()) {
    for (const [at, text] of block.pieces.entries()) {
      sent += 1;
      const sign = at === 0 || block.kind === 'tool' ? signed(said, nth) : {};
      const part = block.kind !== 'tool' ? { text, ...sign } : at === block.pieces.length - 1 && block.whole ? { ...callOf(block, seq), ...sign } : null;
      contents.push(...every((index) => framed(part ? chunk(sent, candidate(index, [part])) : '')));
    }
  }
  const closing = said.finish === 'filter' ? chunk(0, blocked)
    : every((index) => chunk(said.tokens, candidate(index, [{ text: '' }], ending(said)))).join('');
  const tail = closing + (heard.sse ? '' : ']');
  const { error } = fault(503);
  return {
    type: heard.sse ? 'text/event-stream' : 'application/json; charset=UTF-8', opening: framed(opening), contents, tail: framed(tail), spare: heard.sse ? 0 : 1,
    error: (at) => (heard.sse ? sse({ error }) : `${opening !== '' || contents.slice(0, at).some((bytes) => bytes.length > 0) ? ',\r\n' : '['}${JSON.stringify({ error })}]`),
  };
}

// ---- embeddings and models --------------------------------------------------------------------------------------------------

const textIn = (content) => (typeof content === 'string' ? content : (content?.parts ?? []).map((part) => part.text ?? '').join(''));
const embedding = (request) => ({ values: Array.from(vector(textIn(request.content), field(request, 'outputDimensionality') ?? 16)) });
const billed = (plan, requests) => plan.prompt ?? requests.reduce((sum, request) => sum + quarter(textIn(request.content)), 0);

export const geminiEmbed = {
  ...shared, name: 'gemini.embed', needs: 'content', hear: (body, route) => ({ model: route.model }),
  answer: (plan, body) => ({ tokens: billed(plan, [body]), body: { embedding: embedding(body) } }),
};

export const geminiEmbedBatch = {
  ...shared, name: 'gemini.embed', needs: 'requests', hear: (body, route) => ({ model: route.model }),
  answer: (plan, body) => ({ tokens: billed(plan, body.requests), body: { embeddings: body.requests.map(embedding) } }),
};

const METHODS = ['generateContent', 'streamGenerateContent', 'countTokens', 'embedContent', 'batchEmbedContents'];
export const geminiModel = (id) => ({
  name: `models/${id}`, version: '001', displayName: id, description: 'A scripted model.', inputTokenLimit: 1_048_576, outputTokenLimit: 65_536,
  supportedGenerationMethods: METHODS, temperature: 1, topP: 0.95, topK: 64, maxTemperature: 2, thinking: true,
});
export const geminiModels = () => ({ models: MODELS.map(geminiModel) });
