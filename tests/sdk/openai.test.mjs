// The official OpenAI SDK for Node, unmodified, against the gateway: what an application sees that changes nothing but its base URL and key.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { HELLO, contentOf, events, startWorld } from '../http/support.mjs';

const TIMEOUT = { timeout: 30_000 };
const TOOLS = [{ type: 'function', function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } }];
const TEN_WORDS = 'the quick brown fox jumps over the lazy dog while ';
let world;
let tenant;
let client;

/** The SDK with its fetch counted; it is the real one. */
function counted(key, options = {}) {
  const requests = [];
  const fetch = (url, init) => {
    requests.push(String(url));
    return globalThis.fetch(url, init);
  };
  const client = new OpenAI({ apiKey: key, baseURL: `${world.url}/v1`, fetch, ...options });
  return Object.assign(client, { requests });
}

before(async () => {
  world = await startWorld();
  await world.catalog({
    chat: 'c10', utf8: 'c24-utf8', weather: 'tool', embed: 'embed', failing: 'fail500', nowhere: 'fail400',
    'gpt-4o': 'c10', 'org/model': 'c3', cut: 'c10-d20-cut4',
  });
  tenant = await world.tenant({ limits: [
    { name: 'rpm', what: 'requests', per: 'key', window: '60s', max: 1_000 },
    { name: 'tpm', what: 'tokens', per: 'key', window: '60s', max: 1_000_000 },
  ] });
  client = counted(tenant.key);
});

after(() => world.stop());

test('a chat answer is the provider\'s, whole', TIMEOUT, async () => {
  const answer = await client.chat.completions.create({ model: 'chat', messages: HELLO });
  assert.equal(answer.object, 'chat.completion');
  assert.equal(answer.choices[0].message.content, TEN_WORDS);
  assert.equal(answer.choices[0].finish_reason, 'stop');
  assert.equal(answer.usage.completion_tokens, 10);
  assert.equal(answer._request_id.length, 36);
  const row = await world.settled(answer._request_id);
  assert.deepEqual([row.output, row.input, row.truth], [10, answer.usage.prompt_tokens, 'reported']);
});

test('a streamed answer holds the provider\'s content to the byte', TIMEOUT, async () => {
  const direct = await fetch(`${world.provider.url}/v1/chat/completions`, {
    method: 'POST', body: JSON.stringify({ model: 'c24-utf8', messages: HELLO, stream: true }) });
  const expected = contentOf(events(await direct.text()));
  const stream = await client.chat.completions.create({ model: 'utf8', messages: HELLO, stream: true });
  let content = '';
  for await (const chunk of stream) content += chunk.choices[0]?.delta?.content ?? '';
  assert.equal(content, expected);
});

test('a stream shows its usage if, and only if, that was asked for', TIMEOUT, async () => {
  for (const include_usage of [undefined, false, true]) {
    const stream_options = include_usage === undefined ? undefined : { include_usage };
    const asked = client.chat.completions.create({ model: 'chat', messages: HELLO, stream: true, stream_options });
    const { data: stream, request_id } = await asked.withResponse();
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    const last = chunks.at(-1);
    if (include_usage) {
      assert.deepEqual([last.choices, last.usage.completion_tokens], [[], 10]);
      assert.ok(chunks.slice(0, -1).every((chunk) => chunk.usage === null), 'the others say null');
    } else {
      assert.ok(chunks.every((chunk) => !('usage' in chunk) && chunk.choices.length === 1), `asked for ${include_usage}`);
      assert.equal(last.choices[0].finish_reason, 'stop');
    }
    assert.equal((await world.settled(request_id)).output, 10, 'it is billed either way');
  }
});

test('the helper that gathers a stream gives the message and its usage', TIMEOUT, async () => {
  const runner = client.chat.completions.stream({ model: 'chat', messages: HELLO, stream_options: { include_usage: true } });
  const completion = await runner.finalChatCompletion();
  assert.equal(completion.choices[0].message.content, TEN_WORDS);
  assert.equal(completion.usage.completion_tokens, 10);
});

test('a tool call comes through, whole and streamed', TIMEOUT, async () => {
  const asked = { model: 'weather', messages: HELLO, tools: TOOLS };
  const whole = await client.chat.completions.create(asked);
  const [call] = whole.choices[0].message.tool_calls;
  assert.deepEqual([whole.choices[0].finish_reason, call.function.name, JSON.parse(call.function.arguments)],
    ['tool_calls', 'get_weather', { city: 'Paris' }]);
  const message = await client.chat.completions.stream(asked).finalMessage();
  assert.deepEqual(message.tool_calls[0].function.arguments, call.function.arguments);
  assert.equal(message.tool_calls[0].function.name, 'get_weather');
});

test('embeddings come through, in both encodings, and are billed as input', TIMEOUT, async () => {
  const texts = ['one', 'two'];
  const { data: answer, request_id } = await client.embeddings.create({ model: 'embed', input: texts }).withResponse();
  assert.deepEqual(answer.data.map(({ embedding }) => embedding.length), [16, 16]);
  const plain = await client.embeddings.create({ model: 'embed', input: texts, encoding_format: 'float' });
  answer.data[0].embedding.forEach((value, at) => assert.ok(Math.abs(value - plain.data[0].embedding[at]) < 1e-6));
  const row = await world.settled(request_id);
  assert.deepEqual([row.input, row.output], [answer.usage.prompt_tokens, 0]);
});

test('models are listed and retrieved, those with a slash in their name too', TIMEOUT, async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.deepEqual(ids, ['chat', 'cut', 'embed', 'failing', 'gpt-4o', 'nowhere', 'org/model', 'utf8', 'weather']);
  assert.equal((await client.models.retrieve('gpt-4o')).object, 'model');
  assert.equal((await client.models.retrieve('org/model')).id, 'org/model');
  await assert.rejects(client.models.retrieve('nothing'), OpenAI.NotFoundError);
});

test('each error has the SDK\'s class, and status, code, type and param', TIMEOUT, async () => {
  const forged = counted(`${tenant.key.slice(0, -1)}${tenant.key.endsWith('A') ? 'B' : 'A'}`);
  const ask = (sdk, model, more = {}) => () => sdk.chat.completions.create({ model, messages: HELLO, ...more }, { maxRetries: 0 });
  for (const [what, call, kind, status, code, type, param] of [
    ['a forged key', ask(forged, 'chat'), OpenAI.AuthenticationError, 401, 'invalid_api_key', 'invalid_request_error', null],
    ['an unknown model', ask(client, 'nothing'), OpenAI.NotFoundError, 404, 'model_not_found', 'invalid_request_error', 'model'],
    ['a wrong type', ask(client, 'chat', { max_tokens: 'many' }), OpenAI.BadRequestError, 400, null, 'invalid_request_error', 'max_tokens'],
    ['the provider\'s 400', ask(client, 'nowhere'), OpenAI.BadRequestError, 400, null, 'invalid_request_error', null],
    ['the provider\'s 500', ask(client, 'failing'), OpenAI.InternalServerError, 500, 'upstream_error', 'server_error', null],
  ]) {
    const error = await call().then(() => assert.fail(`${what} is no error`), (rejected) => rejected);
    assert.ok(error instanceof kind, `${what}: ${error}`);
    assert.deepEqual([error.status, error.code, error.type, error.param], [status, code, type, param], what);
    assert.equal(error.requestID?.length, 36, what);
  }
});

test('a stream that the provider cuts throws, after what came of it', TIMEOUT, async () => {
  const stream = await client.chat.completions.create({ model: 'cut', messages: HELLO, stream: true });
  let content = '';
  await assert.rejects(async () => {
    for await (const chunk of stream) content += chunk.choices[0]?.delta?.content ?? '';
  }, (error) => error instanceof OpenAI.APIError && error.code === 'upstream_cut' && error.type === 'server_error');
  assert.equal(content, 'the quick brown fox ');
});

test('an exhausted budget costs one request: the SDK does not try again', TIMEOUT, async () => {
  const poor = await world.tenant({ limits: [{ what: 'cost', window: 'lifetime', max: '0.0005' }], fit_min: 1 });
  const sdk = counted(poor.key);
  const spend = () => sdk.chat.completions.create({ model: 'chat', messages: HELLO, max_tokens: 5 });
  let spent = 0;
  let error = null;
  while (error === null) {
    spent += 1;
    const answer = await spend().catch((rejected) => {
      error = rejected;
    });
    if (answer) await world.settled(answer._request_id);
    assert.ok(spent < 100, 'the budget ends');
  }
  assert.ok(error instanceof OpenAI.RateLimitError, String(error));
  assert.equal(sdk.requests.length, spent, 'one request for each call, refused or not');
  assert.equal(error.headers.get('x-should-retry'), 'false');
  assert.equal(error.headers.get('retry-after'), null);
  assert.deepEqual([error.status, error.type, error.code], [429, 'insufficient_quota', 'project_spend_limit_exceeded']);
});

test('a rate limit of a short window is waited for: the SDK tries again as told, and succeeds', TIMEOUT, async () => {
  const brief = await world.tenant({ limits: [{ name: 'rps', what: 'requests', window: '1s', max: 1 }] });
  const sdk = counted(brief.key);
  const answers = await Promise.all([1, 2].map(() => sdk.chat.completions.create({ model: 'chat', messages: HELLO })));
  assert.ok(answers.every((answer) => answer.choices[0].finish_reason === 'stop'));
  assert.ok(sdk.requests.length > 2, 'one of them was refused first');
});

test('rate headers and the request\'s id are where the SDK shows them', TIMEOUT, async () => {
  const { data, response, request_id } = await client.chat.completions.create({ model: 'chat', messages: HELLO }).withResponse();
  assert.equal(request_id, data._request_id);
  assert.equal(request_id, response.headers.get('x-request-id'));
  assert.equal(response.headers.get('x-ratelimit-limit-requests'), '1000');
  assert.ok(Number(response.headers.get('x-ratelimit-remaining-requests')) < 1_000);
  assert.match(response.headers.get('x-ratelimit-reset-requests'), /^(\d+m)?[\d.]+m?s$/);
  assert.equal(response.headers.get('x-ratelimit-limit-tokens'), '1000000');
  assert.equal(response.headers.get('x-tollgate-target'), 'a/c10');
});
