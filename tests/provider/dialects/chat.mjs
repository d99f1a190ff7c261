// OpenAI's Chat Completions: exact bodies and events, made from what is said.

import { SIGNATURE, SOURCE, billOf, compose, quarter, textOf, wordsOf } from '../said.mjs';
import { digits, framed, remembered, sse } from '../wire.mjs';
import { openai } from './openai.mjs';

const FINGERPRINT = 'fp_scripted01';
const FINISH = { stop: 'stop', length: 'length', tool: 'tool_calls', refusal: 'stop', filter: 'content_filter' };
const DONE = 'data: [DONE]\n\n';

export const chat = { ...openai, name: 'chat', needs: 'messages', say: compose, hear, usage, whole, stream };

function hear(body) {
  return {
    model: body.model, cap: body.max_completion_tokens ?? body.max_tokens, choices: body.n,
    forced: body.tool_choice === 'required' || body.tool_choice?.type === 'function',
    tool: body.tool_choice?.function?.name ?? body.tools?.[0]?.function?.name ?? null,
    answered: body.messages.at(-1)?.role === 'tool', schema: (body.response_format?.type ?? 'text') !== 'text', own: body.metadata?.script,
    prompt: countPrompt(body), streams: body.stream === true, tells: body.stream !== true || body.stream_options?.include_usage === true,
  };
}

function countPrompt(body) {
  let tokens = 3 + (body.tools ? quarter(JSON.stringify(body.tools)) : 0);
  for (const message of body.messages) {
    tokens += 4;
    if (typeof message.content === 'string') tokens += quarter(message.content);
    else for (const part of message.content ?? []) tokens += part.type === 'text' ? quarter(part.text) : 20;
  }
  return tokens;
}

/** The usage of a whole answer. */
export function usage(said) {
  const bill = billOf(said);
  return {
    prompt_tokens: bill.input, completion_tokens: bill.output, total_tokens: bill.input + bill.output,
    prompt_tokens_details: { cached_tokens: bill.cached, audio_tokens: bill.audioIn, ...(bill.written > 0 && { cache_write_tokens: bill.written }) },
    completion_tokens_details: {
      reasoning_tokens: said.thought, audio_tokens: bill.audioOut, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0,
    },
  };
}

const callOf = (block, index) => ({
  id: `call_scripted_${index}${block.nth > 0 ? `_${block.nth}` : ''}`, type: 'function', function: { name: block.name, arguments: '' },
});

const citation = (said) => ({ type: 'url_citation', url_citation: { start_index: 0, end_index: wordsOf(said).length, ...SOURCE } });

/** `aloud`: the thoughts, as compatible providers tell them. */
const aloud = (said) => ({
  reasoning_content: said.thoughts.join(''),
  reasoning_details: [{ type: 'reasoning.text', text: said.thoughts.join(''), signature: SIGNATURE, format: 'anthropic-claude-v1', index: 0 }],
});
const isAloud = (said) => said.plan.aloud && said.thoughts.length > 0;

// ---- whole ------------------------------------------------------------------------------------------------------------------

function message(said, index) {
  const calls = said.blocks.filter((block) => block.kind === 'tool').map((block) => {
    const call = callOf(block, index);
    call.function.arguments = textOf(block);
    return call;
  });
  const words = wordsOf(said);
  const refused = said.blocks.some((block) => block.kind === 'refusal');
  return {
    role: 'assistant', content: refused || (said.tool && words === '') ? null : words, refusal: refused ? words : null,
    annotations: said.cites ? [citation(said)] : [], ...(isAloud(said) && aloud(said)), ...(said.tool && { tool_calls: calls }),
  };
}

/** The body of an answer that is not streamed. */
function whole(said, { seq, created }) {
  const choices = remembered(`whole|${said.key}`, () => JSON.stringify(Array.from({ length: said.choices }, (_, index) => (
    { index, message: message(said, index), logprobs: null, finish_reason: FINISH[said.finish] }))));
  const told = said.plan.nousage ? '' : `"usage":${JSON.stringify(usage(said))},`;
  return `{"id":"chatcmpl-${digits(seq, 12)}","object":"chat.completion","created":${created},"model":${JSON.stringify(said.model)},` +
    `"choices":${choices},${told}"service_tier":"${said.plan.tier || 'default'}","system_fingerprint":"${FINGERPRINT}"}`;
}

// ---- streamed ---------------------------------------------------------------------------------------------------------------

const ID_AT = 'data: {"id":"chatcmpl-'.length;
const identity = (seq, created) => `${digits(seq, 12)}","object":"chat.completion.chunk","created":${digits(created, 10)}`;

function event(said, withUsage, who, choices, told = null) {
  const end = withUsage ? `,"usage":${JSON.stringify(told)}` : '';
  // Which tier it is, only the last chunk tells.
  const tier = said.plan.tier === '' ? 'default' : told === null ? 'auto' : said.plan.tier;
  return `data: {"id":"chatcmpl-${who},"model":${JSON.stringify(said.model)},"service_tier":"${tier}",` +
    `"system_fingerprint":"${FINGERPRINT}","choices":${JSON.stringify(choices)}${end}}\n\n`;
}

const choice = (index, delta, finish = null) => [{ index, delta, logprobs: null, finish_reason: finish }];

/** The deltas that open a choice: a call that comes first is opened at once. */
function openings(said, index) {
  const [first] = said.blocks;
  const thoughts = isAloud(said) ? aloud(said) : {};
  if (first?.kind === 'tool') return [{ role: 'assistant', content: null, ...thoughts, tool_calls: [{ index: 0, ...callOf(first, index) }], refusal: null }];
  return [{ role: 'assistant', content: first?.kind === 'refusal' ? null : '', ...thoughts, refusal: null }];
}

/** The deltas of every token, in order; a call that is not the first thing said is opened with its first. */
function deltas(said, index) {
  const list = [];
  let call = -1;
  for (const [nth, block] of said.blocks.entries()) {
    if (block.kind === 'tool') call += 1;
    for (const [at, piece] of block.pieces.entries()) {
      if (block.kind !== 'tool') list.push([block.kind === 'refusal' ? { refusal: piece } : { content: piece }]);
      else {
        const opened = at === 0 && nth > 0 ? [{ tool_calls: [{ index: call, ...callOf(block, index) }] }] : [];
        list.push([...opened, { tool_calls: [{ index: call, function: { arguments: piece } }] }]);
      }
    }
  }
  return list;
}

/** Everything before the tail, framed, in one buffer; where each frame ends, and where the call's identity is to be written. */
function buildTemplate(said, withUsage) {
  const who = identity(0, 0);
  const writes = [];
  const put = (index, list) => writes.push(list.map((delta) => event(said, withUsage, who, choice(index, delta))).join(''));
  for (let index = 0; index < said.choices; index += 1) put(index, openings(said, index));
  const told = Array.from({ length: said.choices }, (_, index) => deltas(said, index));
  for (let at = 0; at < said.tokens; at += 1) for (let index = 0; index < said.choices; index += 1) put(index, told[index][at]);
  const frames = writes.map(framed);
  const ends = [];
  const identities = [];
  let end = 0;
  for (const frame of frames) {
    for (let at = frame.indexOf('data: {"id"'); at >= 0; at = frame.indexOf('data: {"id"', at + 1)) identities.push(end + at + ID_AT);
    end += frame.length;
    ends.push(end);
  }
  return { bytes: Buffer.concat(frames), ends, identities };
}

/**
 * A stream as framed writes: `opening` (the role of every choice), `contents` (one token each), `tail` (finish, usage, [DONE]).
 * The chunks come from a template: per call it is copied, and the id and time written in.
 */
function stream(said, { tells: asked, seq, created }) {
  const tells = asked && !said.plan.nousage;
  const template = remembered(`stream|${said.key}|${said.model}|${tells}`, () => buildTemplate(said, tells));
  const who = identity(seq, created);
  const bytes = Buffer.from(template.bytes);
  for (const at of template.identities) bytes.latin1Write(who, at);
  const { ends } = template;
  const opening = bytes.subarray(0, ends[said.choices - 1]);
  const contents = [];
  for (let at = said.choices; at < ends.length; at += 1) contents.push(bytes.subarray(ends[at - 1], ends[at]));
  let tail = '';
  for (let index = 0; index < said.choices; index += 1) {
    const last = said.cites ? { annotations: [citation(said)] } : {};
    tail += event(said, tells, who, choice(index, last, FINISH[said.finish]));
  }
  if (tells) tail += event(said, true, who, [], usage(said));
  const done = said.plan.nodone ? '' : DONE;
  return { opening, contents, tail: framed(tail + done), spare: done.length, error: () => sse(openai.fault(500)) };
}
