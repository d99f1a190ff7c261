// Azure OpenAI: OpenAI's dialect under the name of a deployment, with what Azure's content filter found.

import { wrong } from '../checks/fields.mjs';
import { framed, sse, unframed } from '../wire.mjs';
import { chat } from './chat.mjs';
import { completions } from './completions.mjs';
import { embeddings } from './openai.mjs';

const SAFE = { hate: 'safe', self_harm: 'safe', sexual: 'safe', violence: 'safe' };
const FOUND = Object.fromEntries(Object.entries(SAFE).map(([name, severity]) => [name, { filtered: false, severity }]));
const PROMPT = [{ prompt_index: 0, content_filter_results: FOUND }];
const FILTERED = {
  error: {
    message: 'The response was filtered due to the prompt triggering Azure OpenAI\'s content management policy. Please modify your prompt and retry.',
    type: null, param: 'prompt', code: 'content_filter', status: 400,
    innererror: { code: 'ResponsibleAIPolicyViolation', content_filter_result: { ...FOUND, violence: { filtered: true, severity: 'high' } } },
  },
};
const ERRORS = {
  401: 'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.',
  404: 'Resource not found', 429: 'Requests to the ChatCompletions_Create Operation have exceeded call rate limit of your current OpenAI S0 pricing tier.',
};
const CODES = { 404: 'DeploymentNotFound', 500: 'InternalServerError', 503: 'ServiceUnavailable' };

function fault(status, plan) {
  const { error } = chat.fault(status, plan);
  return { error: { code: CODES[status] ?? String(status), message: ERRORS[status] ?? error.message } };
}

function admit({ req, route }) {
  if (!req.headers['api-key'] && !req.headers.authorization) return { ...wrong('', null, 401), body: fault(401) };
  return route.version ? null : { ...wrong('', null, 404), body: { error: { code: '404', message: ERRORS[404] } } };
}

const heads = (seq) => ({ 'apim-request-id': `apim_${seq}`, 'x-ms-region': 'Scripted', 'x-ms-deployment-name': 'scripted' });
const shared = { heads, fault, admit };

/** With `filter` the prompt is what Azure blocks: an error, before any answer. */
export const azureChat = { ...chat, ...shared, name: 'azure.chat', filtered: FILTERED, hear, whole, stream };
export const azureCompletions = { ...completions, ...shared, name: 'azure.completions' };
export const azureEmbeddings = { ...embeddings, ...shared, name: 'azure.embeddings' };

/** The plan goes by the deployment; the answer names the model behind it, which here is the same. */
function hear(body, route) {
  return { ...chat.hear(body), model: route.model };
}

function whole(said, who) {
  const answer = JSON.parse(chat.whole(said, who));
  answer.choices = answer.choices.map((choice) => ({ ...choice, content_filter_results: FOUND }));
  return JSON.stringify({ ...answer, prompt_filter_results: PROMPT });
}

/** The first event has no choices, only what was found of the prompt. */
function stream(said, who) {
  const parts = chat.stream(said, who);
  const found = sse({ id: '', object: '', created: 0, model: '', prompt_filter_results: PROMPT, choices: [] });
  return { ...parts, opening: framed(Buffer.concat([Buffer.from(found), unframed(parts.opening)])), error: () => sse(fault(500)) };
}
