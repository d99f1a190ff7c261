// What the provider says: OpenAI's exact chat, embedding and model bodies, made from a plan. Pure: no sockets, no clock.
//
// Token truth: one completion token per content chunk and choice, and those that were thought (`r<N>`). Prompt tokens are `i<N>`, else 3 + per message 4 + a quarter of
// its UTF-8 bytes: always below one per byte of the request.

import { createHash } from 'node:crypto';

const WORDS = 'the quick brown fox jumps over the lazy dog while rain falls softly'.split(' ').map((word) => `${word} `);
const WIDE_WORDS = ['né ', '日本 ', '🙂 ', 'ж ', 'naïve ', '👩‍💻 ', 'ß ', '東京 '];
const DEMO = ('Hello from the scripted provider: no model was asked and nothing was spent. ' +
  'Your call came through the gateway, its limits were checked, and these words are streamed and metered like any others.').match(/\S+ ?/g);
const TOOL_ARGUMENTS = ['{"', 'city', '":"', 'Paris', '"}'];
const FINGERPRINT = 'fp_scripted01';
const TEMPLATES_KEPT = 256;

/** What one call will say: its pieces (one token each), why it ends, how many choices, and the tokens that are billed. */
export function compose(plan, body) {
  const cap = body.max_completion_tokens ?? body.max_tokens ?? Infinity;
  const tool = plan.tool && body.messages?.at(-1)?.role !== 'tool' ? body.tools?.[0]?.function?.name ?? 'get_weather' : null;
  const pieces = tool ? TOOL_ARGUMENTS : plan.demo ? DEMO : null;
  const whole = pieces ? pieces.length : plan.chunks;
  const thought = Math.min(plan.reasoning, cap);
  const tokens = Math.max(0, Math.min(whole, cap - thought));
  const finish = tokens < whole ? 'length' : tool ? 'tool_calls' : 'stop';
  const choices = Math.max(1, body.n ?? 1);
  const prompt = plan.prompt ?? countPrompt(body);
  return { plan, model: body.model, tool, pieces, tokens, thought: thought * choices, finish, choices, prompt };
}

function piece(said, at) {
  if (said.pieces) return said.pieces[at];
  const words = said.plan.utf8 ? WIDE_WORDS : WORDS;
  const word = words[at % words.length];
  const width = said.plan.size ? Math.max(1, Math.round(said.plan.size / Math.max(1, said.plan.chunks))) : 0;
  return width === 0 ? word : word.slice(0, width).padEnd(width, 'x');
}

function countPrompt(body) {
  const quarter = (text) => Math.ceil(Buffer.byteLength(text) / 4);
  let tokens = 3 + (body.tools ? quarter(JSON.stringify(body.tools)) : 0);
  for (const message of body.messages ?? []) {
    tokens += 4;
    if (typeof message.content === 'string') tokens += quarter(message.content);
    else for (const part of message.content ?? []) tokens += part.type === 'text' ? quarter(part.text) : 20;
  }
  return tokens;
}

/** The usage of a whole answer. Parts of the prompt overlap nowhere, and no part is above its whole. */
export function usageOf(said) {
  const { plan, prompt, choices } = said;
  const completion = plan.told ?? said.tokens * choices + said.thought;
  const cached = Math.min(plan.cached, prompt);
  const written = Math.min(plan.written, prompt - cached);
  const audio = Math.min(plan.audioIn, prompt - cached - written);
  return {
    prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: cached, audio_tokens: audio, ...(written > 0 && { cache_write_tokens: written }) },
    completion_tokens_details: {
      reasoning_tokens: said.thought, audio_tokens: Math.min(plan.audioOut, said.tokens) * choices,
      accepted_prediction_tokens: 0, rejected_prediction_tokens: 0,
    },
  };
}

// ---- whole answers ----------------------------------------------------------------------------------------------------------

const digits = (value, width) => String(value).padStart(width, '0');
const toolCall = (said, index) => ({ id: `call_scripted_${index}`, type: 'function', function: { name: said.tool, arguments: '' } });
const templates = new Map();

function remembered(key, make) {
  let made = templates.get(key);
  if (made === undefined) {
    made = make();
    if (templates.size >= TEMPLATES_KEPT) templates.clear();
    templates.set(key, made);
  }
  return made;
}

const templateKey = (kind, said) => `${kind}|${said.plan.key}|${said.tool}|${said.tokens}|${said.choices}`;

function message(said, index) {
  let text = '';
  for (let at = 0; at < said.tokens; at += 1) text += piece(said, at);
  const base = { role: 'assistant', content: said.tool ? null : text, refusal: null, annotations: [] };
  if (!said.tool) return base;
  const call = toolCall(said, index);
  call.function.arguments = text;
  return { ...base, tool_calls: [call] };
}

/** The body of an answer that is not streamed. */
export function completion(said, seq, created) {
  const choices = remembered(templateKey('whole', said), () => JSON.stringify(Array.from({ length: said.choices }, (_, index) => (
    { index, message: message(said, index), logprobs: null, finish_reason: said.finish }))));
  const usage = said.plan.nousage ? '' : `"usage":${JSON.stringify(usageOf(said))},`;
  return `{"id":"chatcmpl-${digits(seq, 12)}","object":"chat.completion","created":${created},"model":${JSON.stringify(said.model)},` +
    `"choices":${choices},${usage}"service_tier":"default","system_fingerprint":"${FINGERPRINT}"}`;
}

// ---- streamed answers -------------------------------------------------------------------------------------------------------

const ID_AT = 'data: {"id":"chatcmpl-'.length;
const identity = (seq, created) => `${digits(seq, 12)}","object":"chat.completion.chunk","created":${digits(created, 10)}`;

function event(said, withUsage, who, choices, usage = null) {
  const told = withUsage ? `,"usage":${JSON.stringify(usage)}` : '';
  return `data: {"id":"chatcmpl-${who},"model":${JSON.stringify(said.model)},"service_tier":"default",` +
    `"system_fingerprint":"${FINGERPRINT}","choices":${JSON.stringify(choices)}${told}}\n\n`;
}

const choice = (index, delta, finish = null) => [{ index, delta, logprobs: null, finish_reason: finish }];

function openingDelta(said, index) {
  if (!said.tool) return { role: 'assistant', content: '', refusal: null };
  return { role: 'assistant', content: null, tool_calls: [{ index: 0, ...toolCall(said, index) }], refusal: null };
}

const pieceDelta = (said, at) => (said.tool
  ? { tool_calls: [{ index: 0, function: { arguments: piece(said, at) } }] }
  : { content: piece(said, at) });

/** One event as one HTTP/1.1 chunk. */
export function framed(bytes) {
  const data = Buffer.from(bytes);
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]);
}

/** Everything before the tail, framed, in one buffer; where each frame ends, and where the call's identity is to be written. */
function buildTemplate(said, withUsage) {
  const who = identity(0, 0);
  const events = [];
  for (let index = 0; index < said.choices; index += 1) events.push(event(said, withUsage, who, choice(index, openingDelta(said, index))));
  for (let at = 0; at < said.tokens; at += 1) {
    for (let index = 0; index < said.choices; index += 1) events.push(event(said, withUsage, who, choice(index, pieceDelta(said, at))));
  }
  const frames = events.map(framed);
  const ends = [];
  const identities = [];
  let end = 0;
  for (const frame of frames) {
    identities.push(end + frame.indexOf('data: ') + ID_AT);
    end += frame.length;
    ends.push(end);
  }
  return { bytes: Buffer.concat(frames), ends, identities };
}

/**
 * A stream as framed writes: `opening` (the role of every choice), `contents` (one token each), `tail` (finish, usage, [DONE]).
 * The chunks come from a template: per call it is copied, and the id and time written in.
 */
export function stream(said, withUsage, seq, created) {
  const tells = withUsage && !said.plan.nousage;
  const template = remembered(`${templateKey('stream', said)}|${tells}`, () => buildTemplate(said, tells));
  const who = identity(seq, created);
  const bytes = Buffer.from(template.bytes);
  for (const at of template.identities) bytes.latin1Write(who, at);
  const { ends } = template;
  const opening = bytes.subarray(0, ends[said.choices - 1]);
  const contents = [];
  for (let at = said.choices; at < ends.length; at += 1) contents.push(bytes.subarray(ends[at - 1], ends[at]));
  let tail = '';
  for (let index = 0; index < said.choices; index += 1) tail += event(said, tells, who, choice(index, {}, said.finish));
  if (tells) tail += event(said, true, who, [], usageOf(said));
  if (!said.plan.nodone) tail += 'data: [DONE]\n\n';
  return { opening, contents, tail: framed(tail) };
}

/** The event bytes inside one framed write, which may hold several frames: used to cut a stream at any byte. */
export function unframed(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length;) {
    const line = bytes.indexOf('\r\n', at);
    const length = parseInt(bytes.toString('latin1', at, line), 16);
    parts.push(bytes.subarray(line + 2, line + 2 + length));
    at = line + 2 + length + 2;
  }
  return Buffer.concat(parts);
}

// ---- embeddings and models --------------------------------------------------------------------------------------------------

/** The inputs of an embeddings request: one text, texts, one list of tokens, or lists of tokens. */
export function inputsOf(input) {
  if (typeof input === 'string') return [input];
  return Array.isArray(input) && typeof input[0] === 'number' ? [input] : input;
}

function vector(input, dimensions) {
  const seed = createHash('sha256').update(JSON.stringify(input)).digest();
  const values = Float32Array.from({ length: dimensions }, (_, at) => seed[at % 32] - 127.5 + (at >> 5));
  const norm = Math.hypot(...values);
  return values.map((value) => value / norm);
}

/** The body of POST /v1/embeddings; vectors are unit length, `dimensions` (16) long, the same for the same input. */
export function embeddings(plan, body) {
  const inputs = inputsOf(body.input);
  const tokens = plan.prompt ?? inputs.reduce((sum, input) => sum + (typeof input === 'string' ? Math.ceil(Buffer.byteLength(input) / 4) : input.length), 0);
  const data = inputs.map((input, index) => {
    const values = vector(input, body.dimensions ?? 16);
    const embedding = body.encoding_format === 'base64' ? Buffer.from(values.buffer).toString('base64') : Array.from(values);
    return { object: 'embedding', index, embedding };
  });
  const usage = plan.nousage ? {} : { usage: { prompt_tokens: tokens, total_tokens: tokens } };
  return { tokens, body: JSON.stringify({ object: 'list', data, model: body.model, ...usage }) };
}

export const modelOf = (id) => ({ id, object: 'model', created: 1_767_225_600, owned_by: 'scripted' });
export const models = () => ({ object: 'list', data: ['demo', 'c10', 'tool', 'embed'].map(modelOf) });
