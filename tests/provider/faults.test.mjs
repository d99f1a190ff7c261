// What the script breaks is broken in every dialect alike, and the journal says the same of each.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import aws4 from 'aws4';
import { AWS_KEY } from './keys/aws.mjs';
import { startProvider } from './provider.mjs';

let provider;
before(async () => { provider = await startProvider(); });
beforeEach(() => provider.reset());
after(() => provider.stop());

const MESSAGES = [{ role: 'user', content: 'hi' }];
const CONTENTS = [{ role: 'user', parts: [{ text: 'hi' }] }];
const OPENAI = { stream_options: { include_usage: true }, stream: true };
/** The headers by which the AI binding's request comes here. */
const runOf = (model) => ({ 'mf-url': 'https://workers-binding.ai/run?version=3', 'mf-binding': 'AI', 'mf-header-cf-consn-model-id': model });
/** Every dialect that streams: a path, a body and headers for a model. */
const DIALECTS = {
  chat: (model) => ['/v1/chat/completions', { model, messages: MESSAGES, ...OPENAI }],
  completions: (model) => ['/v1/completions', { model, prompt: 'hi', ...OPENAI }],
  responses: (model) => ['/v1/responses', { model, input: 'hi', stream: true }],
  anthropic: (model) => ['/v1/messages', { model, max_tokens: 99, messages: MESSAGES, stream: true }, { 'x-api-key': 'k', 'anthropic-version': '2023-06-01' }],
  gemini: (model) => [`/v1beta/models/${model}:streamGenerateContent?alt=sse`, { contents: CONTENTS }, { 'x-goog-api-key': 'k' }],
  geminiArray: (model) => [`/v1beta/models/${model}:streamGenerateContent`, { contents: CONTENTS }, { 'x-goog-api-key': 'k' }],
  bedrock: (model) => [`/model/${model}/converse-stream`, { messages: [{ role: 'user', content: [{ text: 'hi' }] }] }],
  workersAi: (model) => ['/workers-ai', { inputs: { messages: MESSAGES, stream: true }, options: { returnRawResponse: true } }, runOf(`@cf/meta/${model}`)],
  workersAiNewer: (model) => ['/workers-ai', { inputs: { messages: MESSAGES, ...OPENAI }, options: { returnRawResponse: true } }, runOf(`@cf/openai/${model}`)],
  azure: (model) => [`/openai/deployments/${model}/chat/completions?api-version=1`, { messages: MESSAGES, ...OPENAI }, { 'api-key': 'k' }],
};
/** How each says that it failed inside a stream. */
const BROKEN = {
  chat: /server_error/, completions: /server_error/, responses: /^event: error\n.*"code":"server_error"/m, anthropic: /^event: error\n.*overloaded_error/m,
  gemini: /"status":"UNAVAILABLE"/, geminiArray: /"status":"UNAVAILABLE"\}\}\]$/, bedrock: /modelStreamErrorException/,
  workersAi: /"code":3040/, workersAiNewer: /"code":3040/, azure: /InternalServerError/,
};

function messageOf(dialect, body) {
  if (dialect.startsWith('workersAi')) return body.description ?? body.errors[0].message;
  return (dialect === 'bedrock' ? body : body.error).message;
}

function ask(dialect, model) {
  const [path, body, headers = {}] = DIALECTS[dialect](model);
  const text = JSON.stringify(body);
  const own = { host: `127.0.0.1:${provider.port}`, 'content-type': 'application/json', ...headers };
  const request = { method: 'POST', path, body: text, service: 'bedrock', region: 'eu-west-1', headers: own };
  if (dialect === 'bedrock') aws4.sign(request, AWS_KEY);
  return fetch(provider.url + path, { method: 'POST', headers: request.headers, body: text });
}
const bytesOf = async (dialect, model) => Buffer.from(await (await ask(dialect, model)).arrayBuffer());
/** Ids, times and models are those of the call. */
const plain = (bytes) => bytes.toString('latin1').replace(/"[^"]*(id|Id|created|created_at|model|modelVersion|completed_at)":("[^"]*"|\d+)/g, '');
const ended = async () => (await provider.until((calls) => calls.at(-1)?.completed && calls)).at(-1);

for (const dialect of Object.keys(DIALECTS)) {
  test(`${dialect}: the same bytes come however they are cut, and are billed the same`, async () => {
    const whole = await bytesOf(dialect, 'c6-i9-utf8');
    const call = await ended();
    assert.deepEqual([call.status, call.chunks, call.prompt_tokens, call.completion_tokens], [200, 6, 9, 6]);
    assert.notEqual(call.usage, null);
    const split = await bytesOf(dialect, 'c6-i9-utf8-split5');
    if (dialect !== 'bedrock') assert.equal(plain(split), plain(whole)); // its sums differ with the ids
    assert.equal(split.length, whole.length + ('-split5'.length * (whole.toString('latin1').split('c6-i9-utf8').length - 1)));
    assert.deepEqual((await ended()).usage, call.usage);
  });

  test(`${dialect}: a stream that is cut, broken or silent says what it had billed`, async () => {
    await assert.rejects(bytesOf(dialect, 'c9-cut2'));
    const [cut] = provider.calls();
    assert.deepEqual([cut.cut, cut.chunks, cut.completion_tokens, cut.usage], [true, 2, 2, null]);
    assert.match((await bytesOf(dialect, 'c9-err3')).toString('latin1'), BROKEN[dialect]);
    assert.deepEqual([provider.calls()[1].chunks, provider.calls()[1].usage], [3, null]);
    const silent = await ask(dialect, 'c9-stall1');
    await provider.until((calls) => calls[2]?.chunks === 1);
    await silent.body.cancel();
    await provider.until((calls) => calls[2].aborted);
    await assert.rejects(bytesOf(dialect, 'c9-byte400'));
    assert.equal(provider.calls()[3].cut, true);
  });

  test(`${dialect}: an error before the answer is in the dialect's words, and nousage tells none`, async () => {
    for (const [model, status] of [['fail429-ra7', 429], ['fail500', 500], ['fail400', 400]]) {
      const answer = await ask(dialect, model);
      const body = await answer.json();
      assert.equal(answer.status, status);
      assert.ok(messageOf(dialect, body), JSON.stringify(body));
      assert.equal(answer.headers.get('retry-after'), status === 429 ? '7' : null);
    }
    const bytes = (await bytesOf(dialect, 'c1-nousage')).toString('latin1');
    assert.ok(!/"(usage|usageMetadata)":\{/.test(bytes));
    assert.equal((await ended()).usage, null);
  });
}
