// What passes through is as it was sent, both ways, but for what must change: the model's name, the cap on output, the switch for usage.
// And what a client is told of its limits: in headers, in refusals and at the usage endpoint.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { HELLO, refusal, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 30_000 };
const CHAT = '/v1/chat/completions';
let world;

before(async () => {
  world = await startWorld();
  await world.catalog({
    chat: 'c10', c10: 'c10', quoted: { targets: [{ provider: 'a', model: 'c10 "quoted" \\ ж' }] }, embed: 'embed-x', pieces: 'c24-utf8-split3', bytes: 'c24-utf8-split1',
    newer: { targets: [{ provider: 'newer', model: 'c10' }] }, small: { targets: [{ provider: 'a', model: 'c10' }], max_output: 500 }, long: 'c600',
  }, {
    providers: { newer: { dialect: 'openai', base_url: `${world.provider.url}/v1`, output_cap: 'max_completion_tokens' } },
    prices: { 'a/*': { input: '1', output: '2' }, 'newer/*': { input: '1', output: '2' } },
  });
});

after(() => world.stop());

/** What the provider got of a body, and the answer. */
async function arrived(tenant, body, path = CHAT) {
  const response = await tenant.post(path, body);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return { body: world.seen(response)[0].raw.toString(), response, text };
}

const ASK = '"include_usage":true';
const MEMBER = `"stream_options":{${ASK}},`;

test('a request reaches the provider byte for byte, except for the model\'s name', TIMEOUT, async () => {
  const tenant = await world.tenant();
  const bodies = (head, tail, asked = '"chat"', named = '"c10"') => [head + asked + tail, head + named + tail];
  for (const [sent, expected] of [
    bodies('{"model":', ',"messages":[]}', '"c10"'),
    bodies('{"model":', ',"messages":[]}'),
    bodies('{"model":', ',"messages":[]}', '"c\\u0068at"'),
    bodies('{"model":', ',"messages":[]}', '"quoted"', '"c10 \\"quoted\\" \\\\ ж"'),
    bodies('\r\n\t{ "messages" : [ ] ,\n  "model"\t:  ', '  }  \n'),
    bodies('{"messages":[{"role":"user","content":"the model is \\"chat\\", {\\"model\\":\\"chat\\"}"}],"model":', '}'),
    bodies('{"messages":[{"model":"chat","role":"user","content":"é\\u00e9\\ud83d\\ude42🙂 \\/ \\u2028"}],"model":', ',"x":{"model":"chat"}}'),
    bodies('{"model":', ',"messages":[],"seed":123456789012345678901234567890,"temperature":1.0E-2,"top_p":0.10,"z":-0}'),
    bodies('{"model":', ',"messages":[],"unknown":{"a":1,"a":2},"b":[1, 2 ,3],"b":null}'),
    bodies('{"max_tokens":7,"max_completion_tokens":null,"model":', ',"messages":[],"n":1,"user":"someone","stream":false,"stream_options":null}'),
  ]) assert.equal((await arrived(tenant, sent)).body, expected);
  const [sent, expected] = bodies('{ "input":["x", "\\u00e9"],"model":', ', "encoding_format":"float" }', '"embed"', '"embed-x"');
  assert.equal((await arrived(tenant, sent, '/v1/embeddings')).body, expected);
});

test('a stream is asked for its usage by one splice, and not at all where the client asks itself', TIMEOUT, async () => {
  const tenant = await world.tenant();
  for (const [sent, expected] of [
    ['{"model":"c10","stream":true,"messages":[]}', `{${MEMBER}"model":"c10","stream":true,"messages":[]}`],
    [' {\n"model":"c10", "stream":true,"messages":[]}', ` {${MEMBER}\n"model":"c10", "stream":true,"messages":[]}`],
    ['{"model":"c10","stream":true,"messages":[],"stream_options":{}}', `{"model":"c10","stream":true,"messages":[],"stream_options":{${ASK}}}`],
    ['{"model":"c10","stream":true,"messages":[],"stream_options":null}', `{"model":"c10","stream":true,"messages":[],"stream_options":{${ASK}}}`],
    ['{"model":"c10","stream":true,"messages":[],"stream_options":{ "include_obfuscation":false }}',
      `{"model":"c10","stream":true,"messages":[],"stream_options":{${ASK}, "include_obfuscation":false }}`],
    ['{"model":"c10","stream":true,"messages":[],"stream_options":{"include_usage": false}}',
      '{"model":"c10","stream":true,"messages":[],"stream_options":{"include_usage": true}}'],
    ['{"model":"c10","stream":true,"messages":[],"stream_options":{"include_usage":true}}', undefined],
  ]) assert.equal((await arrived(tenant, sent)).body, expected ?? sent);
});

const anonymous = (text) => text.replace(/chatcmpl-\d+/g, 'chatcmpl-ID').replace(/"created":\d+/g, '"created":0');

test('an answer reaches the client byte for byte, whole or streamed, however the provider cut it into pieces', TIMEOUT, async () => {
  const tenant = await world.tenant();
  for (const [model, words] of [['chat', 'c10'], ['pieces', 'c24-utf8-split3'], ['bytes', 'c24-utf8-split1']]) {
    for (const more of [{}, { n: 3 }, { stream: true }, { stream: true, n: 2 }, { stream: true, stream_options: { include_usage: true } }]) {
      const body = (name) => JSON.stringify({ model: name, messages: HELLO, ...more });
      const direct = await fetch(`${world.provider.url}${CHAT}`, { method: 'POST', body: body(words) });
      const expected = await direct.text();
      const { text, response } = await arrived(tenant, body(model));
      assert.equal(anonymous(text), anonymous(expected), `${model} ${JSON.stringify(more)}`);
      assert.equal(response.headers.get('content-type'), direct.headers.get('content-type'));
    }
  }
});

const outputLimit = (max, more = {}) => ({ limits: [{ name: 'output', what: 'output_tokens', window: 'lifetime', max }], fit_min: 50, ...more });

test('with little left the output cap is set or lowered, never raised, and the client is told', TIMEOUT, async () => {
  for (const [what, sent, expected, cap] of [
    ['none', '{"model":"c10","messages":[]}', '{"max_tokens":600,"model":"c10","messages":[]}', '600'],
    ['null', '{"model":"c10","max_tokens":null,"messages":[]}', '{"model":"c10","max_tokens":600,"messages":[]}', '600'],
    ['more than is left', '{"model":"c10","max_tokens":1000,"messages":[]}', '{"model":"c10","max_tokens":600,"messages":[]}', '600'],
    ['more, by the newer name', '{"model":"c10","max_completion_tokens":1000,"messages":[]}', '{"max_tokens":600,"model":"c10","max_completion_tokens":600,"messages":[]}', '600'],
    ['two', '{"model":"c10","max_tokens":2000,"max_completion_tokens":1000,"messages":[]}',
      '{"model":"c10","max_tokens":600,"max_completion_tokens":600,"messages":[]}', '600'],
    ['less than is left', '{"model":"c10","max_tokens":599,"messages":[]}', undefined, null],
    ['less than the least fit', '{"model":"c10","max_tokens":5,"messages":[]}', undefined, null],
    ['for two answers', '{"model":"c10","n":2,"messages":[]}', '{"max_tokens":300,"model":"c10","n":2,"messages":[]}', '300'],
    ['none, of a provider with the newer name', '{"model":"newer","messages":[]}', '{"max_completion_tokens":600,"model":"c10","messages":[]}', '600'],
    ['none, of a model that answers less', '{"model":"small","messages":[]}', '{"max_tokens":500,"model":"c10","messages":[]}', '500'],
    ['none, streamed', '{"model":"c10","stream":true,"messages":[]}', `{"max_tokens":600,${MEMBER}"model":"c10","stream":true,"messages":[]}`, '600'],
  ]) {
    const tenant = await world.tenant(outputLimit(600));
    const { body, response } = await arrived(tenant, sent);
    assert.equal(body, expected ?? sent, what);
    assert.equal(response.headers.get('x-tollgate-output-cap'), cap, what);
  }
});

test('a lowered cap holds: the limit is used up to the token and never beyond', TIMEOUT, async () => {
  const tenant = await world.tenant(outputLimit(600));
  const first = await arrived(tenant, '{"model":"long","messages":[]}');
  assert.equal(first.response.headers.get('x-tollgate-output-cap'), '600');
  assert.equal((await world.settled(first.response)).output, 600);
  assert.deepEqual([(await tenant.limit('output')).used, (await tenant.limit('output')).remaining], [600, 0]);
});

test('a policy of "reject" says what could be afforded, in words and as a number, and that much then passes', TIMEOUT, async () => {
  const tenant = await world.tenant({
    limits: [{ name: 'budget', what: 'cost', window: 'lifetime', max: '0.002' }], on_shortfall: 'reject' });
  // All three bodies are of one length, so that their input is held at one amount.
  const ask = (tokens) => tenant.chat(`{"model":"chat","messages":[],"max_tokens":${String(tokens).padEnd(5)}}`);
  const response = await ask(32_000);
  const error = await refusal(response, 429);
  const affordable = error.affordable_output_tokens;
  assert.ok(Number.isInteger(affordable) && affordable > 100 && affordable < 1_000, `${affordable}`);
  assert.ok(error.message.includes(`You requested up to 32000 tokens, but can only afford ${affordable}.`), error.message);
  assert.equal(response.headers.get('x-should-retry'), 'false');
  assert.equal(error.limits[0].name, 'budget');
  await refusal(await ask(affordable + 1), 429, { affordable_output_tokens: affordable });
  const passes = await ask(affordable);
  assert.equal(passes.status, 200, await passes.text());
  assert.equal(passes.headers.get('x-tollgate-output-cap'), null, 'the client\'s own cap stands');
});

test('below the least fit a call is refused and told what is left', TIMEOUT, async () => {
  const tenant = await world.tenant(outputLimit(40));
  const error = await refusal(await tenant.chat({ model: 'chat', max_tokens: 100 }), 429, { affordable_output_tokens: 40 });
  assert.match(error.message, /requested up to 100 tokens, but can only afford 40\./);
  const passes = await tenant.chat({ model: 'chat', max_tokens: 40 });
  assert.equal(passes.status, 200, await passes.text());
});

test('whoever has used up a budget can still read why, at the usage endpoint and in the list of models', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: [{ name: 'daily', what: 'requests', window: 'day', max: 1 }, { name: 'rpm', what: 'requests', window: '60s', max: 1 }] });
  const answer = await tenant.chat({ model: 'chat' });
  const { usage } = await answer.json();
  await world.settled(answer);
  const response = await tenant.chat({ model: 'chat' });
  const error = await refusal(response, 429, { type: 'insufficient_quota', code: 'insufficient_quota', message: /You have used up "daily"\. Try again in/ });
  assert.deepEqual(error.limits.map(({ name, cause }) => [name, cause]), [['daily', 'exhausted'], ['rpm', 'rate']]);
  for (let reading = 0; reading < 3; reading += 1) {
    const shown = await tenant.usage();
    assert.deepEqual(shown.limits.map(({ name, used, remaining }) => [name, used, remaining]), [['daily', 1, 0], ['rpm', 1, 0]]);
    assert.ok(shown.limits.every(({ resets_at }) => Date.parse(resets_at) > Date.now()));
    const { total } = shown.periods.day;
    assert.deepEqual([total.calls, total.failed, total.input_tokens, total.output_tokens, total.cost],
      [1, 0, usage.prompt_tokens, 10, `0.${String(usage.prompt_tokens + 20).padStart(6, '0')}`]);
  }
  const models = await fetch(`${world.url}/v1/models`, { headers: tenant.headers() });
  assert.equal(models.status, 200);
});

test('rate headers tell the tightest limit on requests and on tokens, as OpenAI writes them', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: [
    { name: 'loose', what: 'requests', window: '1h', max: 1_000 }, { name: 'tight', what: 'requests', per: 'key', window: '60s', max: 3 },
    { name: 'tpm', what: 'tokens', window: '60s', max: 100_000 },
  ] });
  const rate = (response, name) => response.headers.get(`x-ratelimit-${name}`);
  for (const [left, stream] of [['2', false], ['1', true], ['0', false]]) {
    const response = await tenant.chat({ model: 'chat', stream, max_tokens: 100 });
    assert.equal(response.status, 200, await response.text());
    assert.deepEqual([rate(response, 'limit-requests'), rate(response, 'remaining-requests')], ['3', left]);
    assert.match(rate(response, 'reset-requests'), /^(1m0s|\d{1,2}(\.\d{1,3})?s)$/);
    assert.equal(rate(response, 'limit-tokens'), '100000');
    assert.ok(Number(rate(response, 'remaining-tokens')) < 100_000);
    await world.settled(response);
  }
  const refused = await tenant.chat({ model: 'chat' });
  await refusal(refused, 429, { type: 'requests', code: 'rate_limit_exceeded', message: /"tight".*Try again in \d/ });
  assert.equal(refused.headers.get('x-should-retry'), 'true');
  const [seconds, millis] = [refused.headers.get('retry-after'), refused.headers.get('retry-after-ms')].map(Number);
  assert.ok(seconds >= 1 && seconds <= 60 && millis <= seconds * 1_000 && millis > (seconds - 1) * 1_000, `${seconds} s, ${millis} ms`);
});

test('without limits there are no rate headers, and no cap is set', TIMEOUT, async () => {
  const tenant = await world.tenant();
  const { response, body } = await arrived(tenant, '{"model":"c10","messages":[]}');
  assert.deepEqual([...response.headers.keys()].filter((name) => name.startsWith('x-ratelimit') || name === 'x-tollgate-output-cap'), []);
  assert.equal(body, '{"model":"c10","messages":[]}');
});
