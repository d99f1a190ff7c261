// Workers AI as the runtime's AI binding calls it: POST /run?version=3 of https://workers-binding.ai with { inputs, options }, the model in a
// header. Local workerd has no such host; Miniflare sends the request here, to POST /workers-ai, its address and headers under other names.
//
// Models of `@cf/openai/` answer in OpenAI's form, as newer ones do; all others in the older one, { response, tool_calls, usage }.

import { check } from '../checks/workers_ai.mjs';
import { billOf, compose, textOf, tokensOf, wordsOf } from '../said.mjs';
import { framed, sse } from '../wire.mjs';
import { chat } from './chat.mjs';

const RUN = 'https://workers-binding.ai/run?version=3';
const DONE = 'data: [DONE]\n\n';
/** https://developers.cloudflare.com/workers-ai/platform/errors/ */
const ERRORS = {
  400: [5004, 'Invalid data: the request was refused by the script.'],
  403: [3041, 'The account may not use this model.'],
  404: [3042, 'The model was not found.'],
  408: [3007, 'The request timed out.'],
  413: [3006, 'The request is too large.'],
  429: [3040, 'Capacity temporarily exceeded, please try again.'],
};
const QUOTA = [3036, 'you have used up your daily free allocation of 10,000 neurons'];
const name = 'InferenceUpstreamError';

function fault(status, plan) {
  const [internalCode, description] = status === 429 && plan?.quota ? QUOTA : ERRORS[status] ?? (status < 500 ? ERRORS[400] : []);
  if (internalCode) return { internalCode, description, name };
  return { errors: [{ code: 10000, message: 'The model broke, says the script.' }], success: false, result: null };
}
const refuse = (status, description) => ({ internalCode: ERRORS[status]?.[0] ?? 5004, description, name });
const heads = (seq) => ({ 'cf-ai-req-id': `req_${seq}` });

export const workersAi = { name: 'workersAi', heads, fault, refuse, admit, check, read, needs: 'messages', say: compose, hear, usage, whole, stream };

/** Only the binding speaks so. */
function admit({ req }) {
  const { 'mf-url': url, 'mf-binding': binding } = req.headers;
  return url === RUN && binding === 'AI' ? null : { status: 404, message: `Nothing is run at ${url} of ${binding}.` };
}

function read(raw, req) {
  const { inputs, options } = JSON.parse(raw.toString());
  return { ...inputs, model: req.headers['mf-header-cf-consn-model-id'], options };
}

const isNewer = (said) => said.model.startsWith('@cf/openai/');

function hear(body, { model }) {
  const newer = isNewer({ model });
  return { ...chat.hear(body), choices: 1, model, tells: !newer || body.stream !== true || body.stream_options?.include_usage === true };
}

/** The usage of a whole answer. */
export function usage(said) {
  const { input, output, cached } = billOf(said);
  const told = { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
  return isNewer(said) ? { ...told, prompt_tokens_details: { cached_tokens: cached } } : told;
}

const callOf = (block) => ({ name: block.name, arguments: block.whole ? JSON.parse(textOf(block)) : {} });

function whole(said, who) {
  if (isNewer(said)) return chat.whole(said, who);
  const words = wordsOf(said);
  return JSON.stringify({
    response: who.heard.schema && said.plan.json && said.finish === 'stop' ? JSON.parse(words) : said.tool && words === '' ? null : words,
    tool_calls: said.blocks.filter((block) => block.kind === 'tool').map(callOf), ...(said.plan.nousage ? {} : { usage: usage(said) }),
  });
}

/** Older models tell a call of a tool at its last token. */
function stream(said, who) {
  const error = () => sse({ errors: [{ code: 3040, message: 'The model stream broke, says the script.' }] });
  if (isNewer(said)) return { ...chat.stream(said, who), error };
  const contents = [...tokensOf(said)].map(({ piece, block, last }) => {
    if (block.kind !== 'tool') return framed(sse({ response: piece, p: 'abcdefghij'.slice(piece.length % 10) }));
    return framed(sse({ response: '', ...(last && { tool_calls: [callOf(block)] }) }));
  });
  const end = said.plan.nousage ? '' : sse({ response: '', usage: usage(said) });
  const done = said.plan.nodone ? '' : DONE;
  return { opening: Buffer.alloc(0), contents, tail: framed(end + done), spare: done.length, error };
}
