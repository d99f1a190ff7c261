// What all endpoints of OpenAI's API share: headers, errors, models, embeddings.

import { createHash } from 'node:crypto';
import { quarter } from '../said.mjs';

const ERRORS = {
  400: ['invalid_request_error', null, 'The request was refused by the script.'],
  401: ['invalid_request_error', 'invalid_api_key', 'Incorrect API key provided.'],
  402: ['insufficient_quota', 'insufficient_quota', 'Payment required.'],
  403: ['invalid_request_error', 'insufficient_permissions', 'You have insufficient permissions for this operation.'],
  404: ['invalid_request_error', 'model_not_found', 'The model does not exist or you do not have access to it.'],
  429: ['requests', 'rate_limit_exceeded', 'Rate limit reached for requests.'],
  500: ['server_error', null, 'The server had an error while processing your request. Sorry about that!'],
  503: ['service_unavailable_error', 'server_is_overloaded', 'The engine is currently overloaded, please try again later.'],
};
const QUOTA = ['insufficient_quota', 'insufficient_quota', 'You exceeded your current quota, please check your plan and billing details.'];

/** The error body OpenAI would send with `status`. */
function fault(status, plan) {
  const fallback = status >= 500 ? ERRORS[500] : ERRORS[400];
  const [type, code, message] = status === 429 && plan?.quota ? QUOTA : ERRORS[status] ?? fallback;
  const wait = plan?.inbody ? ` Please try again in ${plan.retryAfter}s.` : '';
  return { error: { message: message + wait, type, param: null, code } };
}

/** The body of an answer that refuses a request for what is wrong with it. */
export const invalid = (message, param = null, code = null) => ({ error: { message, type: 'invalid_request_error', param, code } });

const heads = (seq) => ({ 'x-request-id': `req_${seq}`, 'openai-organization': 'scripted', 'openai-version': '2020-10-01', 'openai-processing-ms': '1' });

export const openai = { heads, fault, refuse: (status, message, param) => invalid(message, param) };

// ---- embeddings and models --------------------------------------------------------------------------------------------------

/** The inputs of an embeddings request: one text, texts, one list of tokens, or lists of tokens. */
export function inputsOf(input) {
  if (typeof input === 'string') return [input];
  return Array.isArray(input) && typeof input[0] === 'number' ? [input] : input;
}

/** A vector of unit length, the same for the same input. */
export function vector(input, dimensions) {
  const seed = createHash('sha256').update(JSON.stringify(input)).digest();
  const values = Float32Array.from({ length: dimensions }, (_, at) => seed[at % 32] - 127.5 + (at >> 5));
  const norm = Math.hypot(...values);
  return values.map((value) => value / norm);
}

/** POST /v1/embeddings; vectors are `dimensions` (16) long. */
export const embeddings = {
  ...openai, name: 'embeddings', needs: 'input',
  check(body) {
    return Array.isArray(inputsOf(body.input)) && body.input.length > 0 ? null : { status: 400, message: "'$.input' is invalid.", param: 'input' };
  },
  hear: (body) => ({ model: body.model, own: body.metadata?.script }),
  answer(plan, body) {
    const inputs = inputsOf(body.input);
    const tokens = plan.prompt ?? inputs.reduce((sum, input) => sum + (typeof input === 'string' ? quarter(input) : input.length), 0);
    const data = inputs.map((input, index) => {
      const values = vector(input, body.dimensions ?? 16);
      const embedding = body.encoding_format === 'base64' ? Buffer.from(values.buffer).toString('base64') : Array.from(values);
      return { object: 'embedding', index, embedding };
    });
    const usage = plan.nousage ? null : { prompt_tokens: tokens, total_tokens: tokens };
    return { tokens, usage, body: { object: 'list', data, model: body.model, ...(usage && { usage }) } };
  },
};

export const modelOf = (id) => ({ id, object: 'model', created: 1_767_225_600, owned_by: 'scripted' });
export const MODELS = ['demo', 'c10', 'tool', 'embed'];
export const models = () => ({ object: 'list', data: MODELS.map(modelOf) });
