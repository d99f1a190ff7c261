// Azure and Vertex with their vendors' own clients, unmodified; and what each dialect refuses.

import assert from 'node:assert/strict';
import { createSign, generateKeyPairSync } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { GoogleGenAI } from '@google/genai';
import { JWT } from 'google-auth-library';
import { AzureOpenAI } from 'openai';
import { startProvider } from './provider.mjs';

const EMAIL = 'gateway@project.iam.gserviceaccount.com';
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = (key, type) => key.export({ type, format: 'pem' });
let provider;
before(async () => { provider = await startProvider(); });
beforeEach(() => {
  provider.reset();
  provider.trust({ public_key: pem(publicKey, 'spki'), email: EMAIL });
});
after(() => provider.stop());

const post = (path, body, headers = {}) => fetch(provider.url + path, {
  method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body),
});

test('Azure answers by deployment, tells what its filter found, and wants a version', async () => {
  const azure = (more) => new AzureOpenAI({ endpoint: provider.url, apiKey: 'azure-key', apiVersion: '2024-10-21', maxRetries: 0, ...more });
  const request = { model: 'c3-i9', messages: [{ role: 'user', content: 'hi' }] };
  const whole = await azure().chat.completions.create(request);
  assert.equal(whole.choices[0].content_filter_results.hate.severity, 'safe');
  const chunks = [];
  for await (const chunk of await azure().chat.completions.create({ ...request, stream: true })) chunks.push(chunk);
  assert.deepEqual([chunks[0].choices, chunks[0].prompt_filter_results.length], [[], 1]);
  assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''), 'the quick brown ');
  const [call] = provider.calls();
  assert.deepEqual([call.dialect, call.model, call.auth, call.path],
    ['azure.chat', 'c3-i9', { 'api-key': 'azure-key' }, '/openai/deployments/c3-i9/chat/completions?api-version=2024-10-21']);
  await assert.rejects(azure().chat.completions.create({ ...request, model: 'filter' }), { status: 400, code: 'content_filter' });
  await assert.rejects(azure().chat.completions.create({ ...request, model: 'fail429' }), { status: 429, code: '429' });
  assert.equal((await azure().embeddings.create({ model: 'embed', input: 'a' })).data.length, 1);
  assert.equal((await post('/openai/deployments/c1/chat/completions', request, { 'api-key': 'k' })).status, 404);
  assert.equal((await post('/openai/deployments/c1/chat/completions?api-version=1', request)).status, 401);
  assert.equal((await (await post('/openai/v1/chat/completions', request)).json()).usage.prompt_tokens, 9);
});

/** Google's own service account client, whose one address outside is led to the provider. */
const account = (key = privateKey) => new JWT({
  email: EMAIL, key: pem(key, 'pkcs8'), scopes: [SCOPE],
  transporterOptions: { fetchImplementation: (address, init) => fetch(provider.url + new URL(address).pathname, init) },
});

test('Vertex answers those who bring the token that a signed claim got them', async () => {
  const vertex = (authClient) => new GoogleGenAI({
    vertexai: true, project: 'p', location: 'us-central1', httpOptions: { baseUrl: provider.url }, googleAuthOptions: { authClient },
  });
  const client = vertex(account());
  const request = { model: 'c3', contents: 'hi' };
  assert.equal((await client.models.generateContent(request)).text, 'the quick brown ');
  let text = '';
  for await (const chunk of await client.models.generateContentStream(request)) text += chunk.text;
  assert.equal(text, 'the quick brown ');
  const { totalTokens } = await client.models.countTokens(request);
  assert.ok(totalTokens > 0);
  const [asked, whole, ...more] = provider.calls();
  assert.equal(asked.path, '/token');
  assert.match(whole.path, /^\/v1beta1\/projects\/p\/locations\/us-central1\/publishers\/google\/models\/c3:generateContent$/);
  assert.deepEqual([whole, ...more].map((call) => call.dialect), ['vertex', 'vertex', 'vertex.count']);
  assert.ok([whole, ...more].every((call) => call.auth.authorization === 'Bearer ya29.scripted-1'));
  const body = { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] };
  assert.equal((await post(whole.path, body, { authorization: 'Bearer another' })).status, 401);
  assert.equal((await post(whole.path, { contents: [{ parts: [{ text: 'hi' }] }] }, whole.auth)).status, 400);
  const predicted = await (await post(whole.path.replace('generateContent', 'predict'), { instances: [{ content: 'a' }] }, whole.auth)).json();
  assert.equal(predicted.predictions[0].embeddings.values.length, 16);
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  await assert.rejects(account(other).getAccessToken(), /invalid_grant/);
});

test('a claim that is not as Google wants it gets no token', async () => {
  const now = Math.floor(Date.now() / 1000);
  const good = { iss: EMAIL, scope: SCOPE, aud: `${provider.url}/token`, iat: now, exp: now + 3_600 };
  const give = async (claim, header = { alg: 'RS256', typ: 'JWT' }, grant = 'urn:ietf:params:oauth:grant-type:jwt-bearer') => {
    const text = [header, claim].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    const assertion = `${text}.${createSign('RSA-SHA256').update(text).sign(privateKey, 'base64url')}`;
    const answer = await fetch(`${provider.url}/token`, { method: 'POST', body: new URLSearchParams({ grant_type: grant, assertion }) });
    const { error, token_type } = await answer.json();
    return error ?? token_type;
  };
  assert.equal(await give(good), 'Bearer');
  for (const [change, error] of [[{ iss: 'someone' }, 'invalid_grant'], [{ aud: 'elsewhere' }, 'invalid_grant'], [{ exp: now + 7_200 }, 'invalid_grant'],
    [{ iat: now - 9_000, exp: now - 8_000 }, 'invalid_grant'], [{ scope: undefined }, 'invalid_scope']]) assert.equal(await give({ ...good, ...change }), error);
  assert.equal(await give(good, { alg: 'HS256', typ: 'JWT' }), 'invalid_grant');
  assert.equal(await give(good, undefined, 'password'), 'unsupported_grant_type');
});

const MESSAGES = [{ role: 'user', content: 'hi' }];
const USE = { role: 'assistant', content: [{ type: 'tool_use', id: 't1', name: 'f', input: {} }] };
const TOOLS = [{ name: 'f', input_schema: { type: 'object' } }];
const CONTENTS = [{ role: 'user', parts: [{ text: 'hi' }] }];
const CALLED = { role: 'model', parts: [{ functionCall: { name: 'f', args: {} } }] };
const anthropic = (more) => ['/v1/messages', { model: 'c1', max_tokens: 9, messages: MESSAGES, ...more }];
const gemini = (more) => ['/v1beta/models/c1:generateContent', { contents: CONTENTS, ...more }];
const responses = (more) => ['/v1/responses', { model: 'c1', input: 'hi', ...more }];

test('what a vendor refuses is refused, in its words', async () => {
  const headers = { 'x-api-key': 'k', 'x-goog-api-key': 'k', 'anthropic-version': '2023-06-01' };
  for (const [[path, body], reason] of [
    [anthropic({ max_tokens: undefined }), /max_tokens: Field required/],
    [anthropic({ n: 2 }), /n: Extra inputs are not permitted/],
    [anthropic({ temperature: 2 }), /temperature: range: 0..1/],
    [anthropic({ messages: [{ role: 'tool', content: 'x' }] }), /messages.0.role/],
    [anthropic({ messages: [{ role: 'user', content: [{ type: 'text', text: '' }] }] }), /non-empty/],
    [anthropic({ messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }), /does not match any of the expected tags/],
    [anthropic({ tools: TOOLS, messages: [...MESSAGES, USE, { role: 'user', content: 'and?' }] }), /without `tool_result` blocks immediately after: t1/],
    [anthropic({ tools: TOOLS, messages: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: 't1' }] }] }), /unexpected `tool_use_id`/],
    [anthropic({ tools: [{ name: 'f', parameters: {} }] }), /input_schema/],
    [anthropic({ thinking: { type: 'enabled', budget_tokens: 100 } }), /greater than or equal to 1024/],
    [anthropic({ max_tokens: 2000, thinking: { type: 'enabled', budget_tokens: 2000 } }), /must be greater than `thinking.budget_tokens`/],
    [gemini({ temperature: 1 }), /Unknown name "temperature"/],
    [gemini({ generationConfig: { maxTokens: 1 } }), /Unknown name "maxTokens" at 'generation_config'/],
    [gemini({ contents: [{ role: 'assistant', parts: [{ text: 'x' }] }] }), /valid role/],
    [gemini({ contents: [{ role: 'user', parts: [{ text: 'x', inlineData: { mimeType: 'image/png', data: 'AA==' } }] }] }), /oneof/],
    [gemini({ contents: [...CONTENTS, CALLED, ...CONTENTS] }), /function call turn/],
    [gemini({ contents: [...CONTENTS, CALLED, { role: 'user', parts: [{ functionResponse: { name: 'f', response: 'text' } }] }] }), /Struct/],
    [gemini({ generationConfig: { responseMimeType: 'application/json', responseSchema: { type: 'OBJECT', $schema: 'x' } } }), /Unknown name "\$schema"/],
    [responses({ messages: MESSAGES }), /Unknown parameter: 'messages'/],
    [responses({ input: [{ type: 'function_call_output', call_id: 'c', output: 'x' }] }), /No tool call found for function call output with call_id c/],
    [responses({ input: [{ type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' }] }), /No tool output found for function call c/],
    [responses({ input: [{ role: 'assistant', content: [{ type: 'input_text', text: 'x' }] }] }), /Invalid value: 'input_text'/],
    [responses({ tools: [{ type: 'function', function: { name: 'f' } }] }), /tools\[0\].name/],
  ]) {
    const answer = await post(path, body, headers);
    assert.equal(answer.status, 400, String(reason));
    assert.match((await answer.json()).error.message, reason);
  }
  assert.equal((await post(...anthropic())).status, 401);
  assert.equal((await post(...gemini())).status, 403);
  assert.equal((await post(...anthropic(), { 'x-api-key': 'k' })).status, 400);
});
