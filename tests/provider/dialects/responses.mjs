// OpenAI's Responses: exact bodies and events, made from what is said.

import { check } from '../checks/responses.mjs';
import { SIGNATURE, SOURCE, billOf, compose, count, textOf, tokensOf } from '../said.mjs';
import { digits, framed, named } from '../wire.mjs';
import { openai } from './openai.mjs';

const STATUS = { stop: 'completed', length: 'incomplete', tool: 'completed', refusal: 'completed', filter: 'incomplete' };
const REASON = { length: 'max_output_tokens', filter: 'content_filter' };

export const responses = { ...openai, name: 'responses', needs: 'input', check, say: compose, hear, usage, whole, stream };

/** POST /v1/responses/input_tokens: what the same request would be billed as its input. */
export const responsesCount = {
  ...openai, name: 'responses.count', needs: 'input', check, hear,
  answer(plan, body, { heard }) {
    const tokens = plan.prompt ?? heard.prompt;
    return { tokens, body: { object: 'response.input_tokens', input_tokens: tokens } };
  },
};

function hear(body) {
  const last = Array.isArray(body.input) ? body.input.at(-1) : null;
  return {
    model: body.model, cap: body.max_output_tokens, choices: 1, tool: body.tools?.find((tool) => tool.type === 'function')?.name ?? null,
    forced: body.tool_choice === 'required' || body.tool_choice?.type === 'function', answered: last?.type === 'function_call_output', schema: (body.text?.format?.type ?? 'text') !== 'text', own: body.metadata?.script,
    prompt: count(body.instructions, body.input, body.tools), streams: body.stream === true, tells: true,
    shown: (body.reasoning?.summary ?? null) !== null, sealed: body.include?.includes('reasoning.encrypted_content') === true,
  };
}

/** The usage of a response. */
export function usage(said) {
  const bill = billOf(said);
  return {
    input_tokens: bill.input, input_tokens_details: { cached_tokens: bill.cached, cache_write_tokens: bill.written },
    output_tokens: bill.output, output_tokens_details: { reasoning_tokens: bill.thought }, total_tokens: bill.input + bill.output,
  };
}

// ---- the response and its items ---------------------------------------------------------------------------------------------

function responseOf(said, { seq, created, body }, more) {
  return {
    id: `resp_${digits(seq, 48)}`, object: 'response', created_at: created, status: 'in_progress', background: body.background ?? false,
    completed_at: null, error: null, incomplete_details: null, instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null, max_tool_calls: body.max_tool_calls ?? null, model: said.model, output: [],
    parallel_tool_calls: body.parallel_tool_calls ?? true, previous_response_id: body.previous_response_id ?? null,
    prompt_cache_key: body.prompt_cache_key ?? null, reasoning: { effort: body.reasoning?.effort ?? null, summary: body.reasoning?.summary ?? null },
    safety_identifier: body.safety_identifier ?? null, service_tier: said.plan.tier === '' ? 'default' : 'auto', store: body.store ?? true, temperature: body.temperature ?? 1,
    text: { format: { type: 'text' }, verbosity: 'medium', ...body.text }, tool_choice: body.tool_choice ?? 'auto', tools: body.tools ?? [],
    top_logprobs: body.top_logprobs ?? 0, top_p: body.top_p ?? 1, truncation: body.truncation ?? 'disabled', usage: null, user: body.user ?? null,
    metadata: body.metadata ?? {}, ...more,
  };
}

const idOf = (kind, seq, index) => `${kind}_${digits(seq, 40)}${digits(index, 8)}`;

/** What stands at `index` of the output, and how its stream says it: one per block, the thoughts first. */
function itemsOf(said, seq) {
  const base = said.thoughts.length > 0 ? 1 : 0;
  return said.blocks.map((block, nth) => {
    const index = base + nth;
    const status = block.whole ? 'completed' : 'incomplete';
    if (block.kind === 'tool') {
      const make = (args, state) => ({
        id: idOf('fc', seq, index), type: 'function_call', status: state, arguments: args, call_id: `call_${digits(seq, 16)}${digits(block.nth, 8)}`, name: block.name,
      });
      return { index, block, id: idOf('fc', seq, index), start: make('', 'in_progress'), done: make(textOf(block), status) };
    }
    const part = partOf(said, block, textOf(block));
    const make = (content, state) => ({ id: idOf('msg', seq, index), type: 'message', status: state, content, role: 'assistant' });
    return { index, block, part, id: idOf('msg', seq, index), start: make([], 'in_progress'), done: make([part], status) };
  });
}

const annotation = (text) => ({ type: 'url_citation', start_index: 0, end_index: text.length, ...SOURCE });

function partOf(said, block, text) {
  if (block.kind === 'refusal') return { type: 'refusal', refusal: text };
  return { type: 'output_text', annotations: said.cites && text ? [annotation(text)] : [], logprobs: [], text };
}

/** The thoughts: their summary only if one was asked for, sealed only if that was asked for. */
function reasoningOf(said, { seq, heard }) {
  if (said.thoughts.length === 0) return [];
  const summary = heard.shown ? [{ type: 'summary_text', text: said.thoughts.join('') }] : [];
  return [{ id: idOf('rs', seq, 0), type: 'reasoning', summary, ...(heard.sealed && { encrypted_content: SIGNATURE }) }];
}

function ended(said, who) {
  const searches = Array.from({ length: said.plan.searches }, (_, nth) => (
    { id: idOf('ws', who.seq, nth), type: 'web_search_call', status: 'completed', action: { type: 'search', query: 'scripted' } }));
  const output = [...reasoningOf(said, who), ...itemsOf(said, who.seq).map((item) => item.done), ...searches];
  const reason = REASON[said.finish];
  return responseOf(said, who, {
    status: STATUS[said.finish], completed_at: reason ? null : who.created, incomplete_details: reason ? { reason } : null, output,
    usage: said.plan.nousage ? null : usage(said), service_tier: said.plan.tier || 'default',
  });
}

function whole(said, who) {
  return JSON.stringify(ended(said, who));
}

// ---- streamed ---------------------------------------------------------------------------------------------------------------

/** Events are numbered as they are written. */
function numbered() {
  let sequence_number = 0;
  const send = (type, more) => {
    const bytes = named(type, { type, sequence_number, ...more });
    sequence_number += 1;
    return bytes;
  };
  return { send, next: () => sequence_number };
}

function thoughtEvents(send, said, who) {
  const [item] = reasoningOf(said, who);
  if (!item) return '';
  const at = { item_id: item.id, output_index: 0, summary_index: 0 };
  let bytes = send('response.output_item.added', { output_index: 0, item: { ...item, summary: [] } });
  for (const part of item.summary) {
    bytes += send('response.reasoning_summary_part.added', { ...at, part: { ...part, text: '' } });
    for (const delta of said.thoughts) bytes += send('response.reasoning_summary_text.delta', { ...at, delta });
    bytes += send('response.reasoning_summary_text.done', { ...at, text: part.text }) + send('response.reasoning_summary_part.done', { ...at, part });
  }
  return bytes + send('response.output_item.done', { output_index: 0, item });
}

const placeOf = ({ id, index, block }) => (block.kind === 'tool' ? { item_id: id, output_index: index } : { item_id: id, output_index: index, content_index: 0 });

function openItem(send, said, item) {
  const added = send('response.output_item.added', { output_index: item.index, item: item.start });
  if (item.block.kind === 'tool') return added;
  return added + send('response.content_part.added', { ...placeOf(item), part: partOf(said, item.block, '') });
}

function deltaOf(send, item, delta) {
  if (item.block.kind === 'tool') return send('response.function_call_arguments.delta', { ...placeOf(item), delta });
  if (item.block.kind === 'refusal') return send('response.refusal.delta', { ...placeOf(item), delta });
  return send('response.output_text.delta', { ...placeOf(item), delta, logprobs: [] });
}

function closeItem(send, said, item) {
  const place = placeOf(item);
  const text = textOf(item.block);
  let bytes = '';
  if (item.block.kind === 'tool') bytes += send('response.function_call_arguments.done', { ...place, arguments: text });
  else {
    if (said.cites) bytes += send('response.output_text.annotation.added', { ...place, annotation_index: 0, annotation: annotation(text) });
    bytes += item.block.kind === 'refusal' ? send('response.refusal.done', { ...place, refusal: text })
      : send('response.output_text.done', { ...place, text, logprobs: [] });
    bytes += send('response.content_part.done', { ...place, part: item.part });
  }
  return bytes + send('response.output_item.done', { output_index: item.index, item: item.done });
}

function stream(said, who) {
  const { send, next } = numbered();
  const items = itemsOf(said, who.seq);
  const response = responseOf(said, who);
  const opening = send('response.created', { response }) + send('response.in_progress', { response }) + thoughtEvents(send, said, who);
  const numbers = [next()];
  const contents = [];
  for (const token of tokensOf(said)) {
    const item = items[token.index];
    const border = token.first ? (token.index > 0 ? closeItem(send, said, items[token.index - 1]) : '') + openItem(send, said, item) : '';
    contents.push(framed(border + deltaOf(send, item, token.piece)));
    numbers.push(next());
  }
  const closing = items.length > 0 ? closeItem(send, said, items.at(-1)) : '';
  const last = said.plan.nodone ? '' : send(`response.${STATUS[said.finish]}`, { response: ended(said, who) });
  const error = (sent) => {
    const { message } = openai.fault(500).error;
    return named('error', { type: 'error', code: 'server_error', message, param: null, sequence_number: numbers[sent] });
  };
  return { opening: framed(opening), contents, tail: framed(closing + last), spare: 0, untold: said.plan.nodone, error };
}
