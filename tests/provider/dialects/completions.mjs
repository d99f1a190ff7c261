// OpenAI's legacy Completions: one or several prompts, words only.

import { compose, count, tokensOf, wordsOf } from '../said.mjs';
import { digits, framed, sse } from '../wire.mjs';
import { usage as usageOf } from './chat.mjs';
import { openai } from './openai.mjs';

const FINISH = { stop: 'stop', length: 'length', refusal: 'stop', filter: 'content_filter' };
const DONE = 'data: [DONE]\n\n';
const DEFAULT_CAP = 16;

export const completions = { ...openai, name: 'completions', needs: 'prompt', say, hear, usage: usageOf, whole, stream };

const prompts = (prompt) => (Array.isArray(prompt) && typeof prompt[0] !== 'number' ? prompt.length : 1);
const tokens = (prompt) => (Array.isArray(prompt) && typeof prompt[0] === 'number' ? prompt.length : count(prompt));

function hear(body) {
  return {
    model: body.model, cap: body.max_tokens ?? DEFAULT_CAP, choices: (body.n ?? 1) * prompts(body.prompt), tool: null, answered: true, schema: false,
    prompt: tokens(body.prompt), streams: body.stream === true, tells: body.stream !== true || body.stream_options?.include_usage === true,
  };
}

function say(plan, heard) {
  return compose(plan.reasoning > 0 ? { ...plan, reasoning: 0 } : plan, heard);
}

const head = (said, { seq, created }) => ({ id: `cmpl-${digits(seq, 12)}`, object: 'text_completion', created, model: said.model });
const choice = (text, index, finish) => ({ text, index, logprobs: null, finish_reason: finish });

function whole(said, who) {
  const text = wordsOf(said);
  const choices = Array.from({ length: said.choices }, (_, index) => choice(text, index, FINISH[said.finish]));
  return JSON.stringify({ ...head(said, who), choices, ...(said.plan.nousage ? {} : { usage: usageOf(said) }) });
}

function stream(said, who) {
  const tells = who.tells && !said.plan.nousage;
  const event = (choices, usage = null) => sse({ ...head(said, who), choices, ...(tells && { usage }) });
  const every = (make) => Array.from({ length: said.choices }, (_, index) => make(index));
  const contents = [...tokensOf(said)].flatMap(({ piece }) => every((index) => framed(event([choice(piece, index, null)]))));
  const end = every((index) => event([choice('', index, FINISH[said.finish])])).join('') + (tells ? event([], usageOf(said)) : '');
  const done = said.plan.nodone ? '' : DONE;
  return { opening: Buffer.alloc(0), contents, tail: framed(end + done), spare: done.length, error: () => sse(openai.fault(500)) };
}
