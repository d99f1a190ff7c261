// Amazon Bedrock's Converse: exact bodies, and its stream of binary events, made from what is said.

import { crc32 } from 'node:zlib';
import { check } from '../checks/bedrock.mjs';
import { admit } from '../keys/aws.mjs';
import { SIGNATURE, SOURCE, billOf, compose, count, textOf, tokensOf } from '../said.mjs';
import { digits, framed } from '../wire.mjs';

const STOP = { stop: 'end_turn', length: 'max_tokens', tool: 'tool_use', refusal: 'content_filtered', filter: 'guardrail_intervened' };
const ERRORS = {
  400: ['ValidationException', 'The request was refused by the script.'],
  403: ['AccessDeniedException', 'You don\'t have access to the model with the specified model ID.'],
  404: ['ResourceNotFoundException', 'Could not resolve the foundation model from the provided model identifier.'],
  408: ['ModelTimeoutException', 'The model timed out.'],
  424: ['ModelErrorException', 'The model returned an error.'],
  429: ['ThrottlingException', 'Too many requests, please wait before trying again.'],
  500: ['InternalServerException', 'The system encountered an unexpected error during processing. Try your request again.'],
  503: ['ServiceUnavailableException', 'Bedrock is unable to process your request.'],
};
const QUOTA = ['ServiceQuotaExceededException', 'Your request exceeds the service quota for your account.'];

const errorOf = (status, plan) => (status === 429 && plan?.quota ? QUOTA : ERRORS[status] ?? (status >= 500 ? ERRORS[500] : ERRORS[400]));
const fault = (status, plan) => ({ message: errorOf(status, plan)[1] });
const faultHeads = (status, plan) => ({ 'x-amzn-errortype': errorOf(status, plan)[0] });
const refuse = (status, message) => ({ message });
const heads = (seq) => ({ 'x-amzn-requestid': `00000000-0000-4000-8000-${digits(seq, 12)}` });

export const bedrock = { name: 'bedrock', heads, fault, faultHeads, refuse, admit, check, needs: 'messages', say: compose, hear, usage, whole, stream };

function hear(body, route) {
  const last = body.messages.at(-1);
  return {
    model: route.model, cap: body.inferenceConfig?.maxTokens, choices: 1, tool: body.toolConfig?.tools.find((tool) => tool.toolSpec)?.toolSpec.name ?? null,
    forced: ['any', 'tool'].some((kind) => body.toolConfig?.toolChoice?.[kind]),
    answered: last.content.some((block) => block.toolResult), schema: body.outputConfig?.textFormat?.type === 'json_schema', own: body.requestMetadata?.script,
    prompt: count(body.system, body.messages, body.toolConfig), streams: route.streams, tells: true,
  };
}

/** The usage: cached and written tokens are told beside the input's. */
export function usage(said) {
  const bill = billOf(said);
  return {
    inputTokens: bill.input - bill.cached - bill.written, outputTokens: bill.output, totalTokens: bill.input + bill.output,
    cacheReadInputTokens: bill.cached, cacheWriteInputTokens: bill.written,
  };
}

const toolId = (block, seq) => `tooluse_${digits(seq, 8)}${block.nth}`;
const citation = { title: SOURCE.title, sourceContent: [{ text: 'A scripted sentence.' }], location: { web: { url: SOURCE.url, domain: 'example.com' } } };

function contentOf(said, seq) {
  const thoughts = said.thoughts.length > 0
    ? [{ reasoningContent: { reasoningText: { text: said.thoughts.join(''), signature: SIGNATURE } } }] : [];
  return [...thoughts, ...said.blocks.map((block) => {
    if (block.kind === 'tool') return { toolUse: { toolUseId: toolId(block, seq), name: block.name, input: block.whole ? JSON.parse(textOf(block)) : {} } };
    return said.cites ? { citationsContent: { content: [{ text: textOf(block) }], citations: [citation] } } : { text: textOf(block) };
  })];
}

const servedBy = ({ plan }) => ({
  ...(plan.tier && { serviceTier: { type: plan.tier } }), ...(plan.latencyOf && { performanceConfig: { latency: plan.latencyOf } }),
});

function whole(said, { seq }) {
  return JSON.stringify({
    metrics: { latencyMs: 1 }, output: { message: { content: contentOf(said, seq), role: 'assistant' } }, stopReason: STOP[said.finish],
    ...(said.plan.nousage ? {} : { usage: usage(said) }), ...servedBy(said),
  });
}

// ---- binary events ----------------------------------------------------------------------------------------------------------

const STRING = 7;

function header(name, value) {
  const bytes = Buffer.alloc(1 + name.length + 1 + 2 + Buffer.byteLength(value));
  let at = bytes.writeUInt8(name.length, 0);
  at += bytes.write(name, at);
  at = bytes.writeUInt8(STRING, at);
  at = bytes.writeUInt16BE(Buffer.byteLength(value), at);
  bytes.write(value, at);
  return bytes;
}

/** One message of an event stream: lengths, their checksum, headers, payload, and the checksum of it all. */
export function message(headers, payload) {
  const named = Buffer.concat(Object.entries(headers).map(([name, value]) => header(name, value)));
  const body = Buffer.from(payload);
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(12 + named.length + body.length + 4, 0);
  prelude.writeUInt32BE(named.length, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  const bytes = Buffer.concat([prelude, named, body]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes), 0);
  return Buffer.concat([bytes, sum]);
}

const JSON_TYPE = 'application/json';
const event = (type, data) => message({ ':event-type': type, ':content-type': JSON_TYPE, ':message-type': 'event' }, JSON.stringify({ ...data, p: 'abcd' }));
const exception = (type, text) => message({ ':exception-type': type, ':content-type': JSON_TYPE, ':message-type': 'exception' }, JSON.stringify({ message: text }));

function stream(said, { seq }) {
  const delta = (contentBlockIndex, what) => event('contentBlockDelta', { contentBlockIndex, delta: what });
  const stop = (contentBlockIndex) => event('contentBlockStop', { contentBlockIndex });
  const opening = [event('messageStart', { role: 'assistant' })];
  let index = 0;
  if (said.thoughts.length > 0) {
    for (const text of said.thoughts) opening.push(delta(0, { reasoningContent: { text } }));
    opening.push(delta(0, { reasoningContent: { signature: SIGNATURE } }), stop(0));
    index = 1;
  }
  const base = index;
  const contents = [];
  for (const { block, piece, first, index: nth } of tokensOf(said)) {
    index = base + nth;
    const events = first && nth > 0 ? [stop(index - 1)] : [];
    if (first && block.kind === 'tool') {
      events.push(event('contentBlockStart', { contentBlockIndex: index, start: { toolUse: { toolUseId: toolId(block, seq), name: block.name } } }));
    }
    events.push(delta(index, block.kind === 'tool' ? { toolUse: { input: piece } } : { text: piece }));
    contents.push(framed(Buffer.concat(events)));
  }
  const closing = [];
  if (said.cites) closing.push(delta(index, { citation }));
  if (said.blocks.length > 0) closing.push(stop(index));
  closing.push(event('messageStop', { stopReason: STOP[said.finish] }));
  const last = said.plan.nodone || said.plan.nousage ? [] : [event('metadata', { metrics: { latencyMs: 1 }, usage: usage(said), ...servedBy(said) })];
  return {
    type: 'application/vnd.amazon.eventstream', opening: framed(Buffer.concat(opening)), contents, tail: framed(Buffer.concat([...closing, ...last])), spare: 0,
    untold: said.plan.nodone, error: () => exception('modelStreamErrorException', 'The model stream broke, says the script.'),
  };
}
