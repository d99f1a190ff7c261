// Anthropic's Messages: exact bodies and events, made from what is said.

import { admit, check, checkCount } from '../checks/anthropic.mjs';
import { SIGNATURE, SOURCE, billOf, compose, count, textOf, tokensOf } from '../said.mjs';
import { digits, framed } from '../wire.mjs';

const STOP = { stop: 'end_turn', length: 'max_tokens', tool: 'tool_use', refusal: 'refusal', filter: 'refusal' };
const ERRORS = {
  400: ['invalid_request_error', 'The request was refused by the script.'],
  401: ['authentication_error', 'invalid x-api-key'],
  402: ['billing_error', 'Your credit balance is too low to access the Anthropic API.'],
  403: ['permission_error', 'Your API key does not have permission to use the specified resource.'],
  404: ['not_found_error', 'model: not found'],
  413: ['request_too_large', 'Request exceeds the maximum size'],
  429: ['rate_limit_error', 'This request would exceed your organization\'s rate limit.'],
  500: ['api_error', 'Internal server error'],
  504: ['timeout_error', 'The request timed out.'],
  529: ['overloaded_error', 'Overloaded'],
};
const SPENT = { type: 'rate_limit_error', message: 'You have reached your specified API usage limits.', details: { error_code: 'enforced_spend_limit_reached' } };

/** The first version of the API leaves out what it has nothing to say of; later ones say null. */
const FIRST_VERSION = '2023-06-01';
const LATER = new Set(['citations', 'container', 'diagnostics', 'stop_details', 'output_tokens_details', 'server_tool_use', 'inference_geo', 'speed']);
const written = (heard, data) => JSON.stringify(data, heard.first ? (name, value) => (value === null && LATER.has(name) ? undefined : value) : undefined);

const requestId = (seq) => `req_${digits(seq, 24)}`;
const wrap = (error, seq) => ({ type: 'error', error, request_id: requestId(seq) });

function fault(status, plan, seq = 0) {
  if (status === 429 && plan?.quota) return wrap(SPENT, seq);
  const [type, message] = ERRORS[status] ?? (status > 500 ? ERRORS[529] : status === 500 ? ERRORS[500] : ERRORS[400]);
  return wrap({ type, message }, seq);
}

function refuse(status, message, _param, seq = 0) {
  return wrap({ type: (ERRORS[status] ?? ERRORS[400])[0], message }, seq);
}

const heads = (seq) => ({ 'request-id': requestId(seq), 'anthropic-organization-id': '00000000-0000-4000-8000-000000000000' });
const shared = { heads, fault, refuse, admit };

export const anthropic = { ...shared, name: 'anthropic', needs: 'messages', check, say: compose, hear, usage, whole, stream };

/** POST /v1/messages/count_tokens: what the same request would be billed as its input. */
export const anthropicCount = {
  ...shared, name: 'anthropic.count', needs: 'messages', check: checkCount, hear,
  answer: (plan, body, { heard }) => ({ tokens: plan.prompt ?? heard.prompt, body: { input_tokens: plan.prompt ?? heard.prompt } }),
};

function hear(body, route, headers) {
  const last = body.messages?.at(-1);
  return {
    model: body.model, cap: body.max_tokens, choices: 1, forced: ['tool', 'any'].includes(body.tool_choice?.type),
    tool: body.tool_choice?.name ?? body.tools?.find((tool) => tool.input_schema)?.name ?? null,
    answered: Array.isArray(last?.content) && last.content.some((block) => block.type === 'tool_result'),
    schema: (body.output_config?.format ?? body.output_format ?? null) !== null, streams: body.stream === true, tells: true,
    prompt: count(body.system, body.messages, body.tools), hidden: body.thinking?.display === 'omitted', first: headers?.['anthropic-version'] === FIRST_VERSION,
  };
}

/** Input tokens are those that were neither read from a cache nor written to one. */
function told(said, sent) {
  const bill = billOf(said, sent);
  return {
    input_tokens: bill.input - bill.cached - bill.written, cache_creation_input_tokens: bill.written, cache_read_input_tokens: bill.cached,
    output_tokens: bill.output, output_tokens_details: bill.thought > 0 ? { thinking_tokens: bill.thought } : null,
    server_tool_use: said.plan.searches > 0 ? { web_search_requests: said.plan.searches, web_fetch_requests: 0 } : null,
  };
}

/** The usage of a message. */
export function usage(said) {
  const own = told(said);
  return {
    ...own, cache_creation: { ephemeral_5m_input_tokens: own.cache_creation_input_tokens, ephemeral_1h_input_tokens: 0 },
    inference_geo: said.plan.geo || 'not_available', service_tier: said.plan.tier || 'standard', speed: said.plan.speed || null,
  };
}

const details = (said) => (STOP[said.finish] === 'refusal'
  ? { type: 'refusal', category: null, explanation: 'The script declines.' } : null);

const CITED = { type: 'web_search_result_location', cited_text: 'A scripted sentence.', encrypted_index: 'c2NyaXB0ZWQ=', ...SOURCE };

function opened(said, block, seq) {
  if (block.kind === 'tool') return { type: 'tool_use', id: `toolu_${digits(seq, 8)}${block.nth}`, name: block.name, input: {}, caller: { type: 'direct' } };
  return { type: 'text', text: '', citations: said.cites ? [] : null };
}

function contentOf(said, { seq, heard }) {
  const thinking = said.thoughts.length === 0 ? []
    : [{ type: 'thinking', thinking: heard.hidden ? '' : said.thoughts.join(''), signature: SIGNATURE }];
  return [...thinking, ...said.blocks.map((block) => {
    const start = opened(said, block, seq);
    if (block.kind === 'tool') return { ...start, input: block.whole ? JSON.parse(textOf(block)) : {} };
    return { ...start, text: textOf(block), citations: said.cites ? [CITED] : null };
  })];
}

const messageOf = (said, seq, content, end, usage) => ({
  id: `msg_${digits(seq, 24)}`, type: 'message', role: 'assistant', model: said.model, content, container: null, diagnostics: null,
  stop_reason: null, stop_sequence: null, stop_details: null, ...end, ...(said.plan.nousage ? {} : { usage }),
});

function whole(said, who) {
  const end = { stop_reason: STOP[said.finish], stop_details: details(said) };
  return written(who.heard, messageOf(said, who.seq, contentOf(said, who), end, usage(said)));
}

/** message_start, the thoughts, and the first block's start; then a delta per token, with the borders of blocks; then how it ended. */
function stream(said, { seq, heard }) {
  const send = (data) => `event: ${data.type}\ndata: ${written(heard, data)}\n\n`;
  const start = (index, block) => send({ type: 'content_block_start', index, content_block: block });
  const delta = (index, what) => send({ type: 'content_block_delta', index, delta: what });
  const stop = (index) => send({ type: 'content_block_stop', index });
  const first = { ...usage(said), output_tokens: Math.min(1, said.tokens + said.thought), output_tokens_details: null };
  const ping = send({ type: 'ping' });
  let opening = send({ type: 'message_start', message: messageOf(said, seq, [], {}, first) });
  let index = 0;
  if (said.thoughts.length > 0) {
    opening += start(index, { type: 'thinking', thinking: '', signature: '' }) + ping;
    if (!heard.hidden) for (const thinking of said.thoughts) opening += delta(index, { type: 'thinking_delta', thinking });
    opening += delta(index, { type: 'signature_delta', signature: SIGNATURE }) + stop(index);
    index += 1;
  }
  const contents = [];
  const base = index;
  for (const token of tokensOf(said)) {
    index = base + token.index;
    let bytes = '';
    if (token.first) {
      bytes = (token.index > 0 ? stop(index - 1) : '') + start(index, opened(said, token.block, seq)) + (index === 0 ? ping : '');
      if (token.block.kind === 'tool') bytes += delta(index, { type: 'input_json_delta', partial_json: '' });
    }
    bytes += delta(index, token.block.kind === 'tool'
      ? { type: 'input_json_delta', partial_json: token.piece } : { type: 'text_delta', text: token.piece });
    contents.push(framed(bytes));
  }
  const cited = said.cites ? delta(index, { type: 'citations_delta', citation: CITED }) : '';
  const end = send({
    type: 'message_delta', delta: { stop_reason: STOP[said.finish], stop_sequence: null, stop_details: details(said), container: null },
    ...(said.plan.nousage ? {} : { usage: told(said) }),
  });
  const last = said.plan.nodone ? '' : send({ type: 'message_stop' });
  const closing = (said.blocks.length > 0 ? cited + stop(index) : '') + end;
  return {
    opening: framed(opening), contents, tail: framed(closing + last), spare: last.length,
    error: () => send({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' }, request_id: requestId(seq) }),
  };
}
