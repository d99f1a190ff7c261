// What the official OpenAI SDK for Node does of itself with each refusal by limits: which it repeats, how often, and what an
// application can read of the error.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { eventually, startWorld } from '../workerd/support.mjs';

const TIMEOUT = { timeout: 60_000 };
const HI = [{ role: 'user', content: 'hi' }];
let world;
before(async () => { world = await startWorld({ models: { chat: 'c5', greedy: 'c5-i200' }, gated: { gated: 'c5' } }); });
after(() => world.stop());

/** The SDK, as it comes with 2 retries; `answers` are the statuses, codes and headers that it got. */
function sdkOf(key) {
  const answers = [];
  const fetch = async (url, init) => {
    const response = await globalThis.fetch(url, init);
    const { error } = await response.clone().json();
    answers.push({ status: response.status, code: error?.code, headers: response.headers });
    return response;
  };
  return Object.assign(new OpenAI({ apiKey: key, baseURL: `${world.url}/v1`, fetch, maxRetries: 2 }), { answers });
}

const ask = (sdk, more = {}) => sdk.chat.completions.create({ model: 'chat', messages: HI, max_tokens: 20, ...more });
const errorOf = (call) => call.then(() => assert.fail('it was not refused'), (error) => error);
const statuses = (sdk) => sdk.answers.map(({ status }) => status);

/** Under `policy` one call is under way; the SDK's is refused by `code`, the first ends, and the SDK's own retry succeeds. */
async function checkRetried(id, policy, code, wait) {
  const tenant = await world.tenant(id, policy);
  world.provider.reset();
  world.gate.hold();
  const first = ask(sdkOf(tenant.key), { model: 'gated' });
  await world.reached(1);
  const sdk = sdkOf(tenant.key);
  const second = ask(sdk);
  await eventually('the call is refused', () => sdk.answers.length === 1);
  world.gate.release();
  assert.equal((await first).choices[0].finish_reason, 'stop');
  assert.equal((await second).choices[0].finish_reason, 'stop');
  assert.deepEqual(statuses(sdk), [429, 200]);
  const [{ headers, code: told }] = sdk.answers;
  assert.deepEqual([told, headers.get('x-should-retry'), headers.get('retry-after')], [code, 'true', wait]);
  assert.equal(world.provider.stats().requests, 2, 'the provider saw each call once');
}

test('too many calls at once: the SDK tries again, and succeeds once there is room', TIMEOUT, () =>
  checkRetried('busy', { limits: [{ what: 'concurrency', max: 1 }] }, 'concurrency_limit_exceeded', '1'));

test('a budget that calls under way hold: the SDK waits no longer than their lease, and succeeds', TIMEOUT, () =>
  checkRetried('reserved', { limits: [{ what: 'output_tokens', window: 'day', max: 35 }], lease: '4s' }, 'budget_reserved', '4'));

test('a rolling window that is full: the SDK waits as told, and succeeds', TIMEOUT, async () => {
  const sdk = sdkOf((await world.tenant('rate', { limits: [{ what: 'requests', window: '2s', max: 1 }] })).key);
  world.provider.reset();
  const answers = await Promise.all([ask(sdk), ask(sdk)]);
  assert.ok(answers.every(({ choices }) => choices[0].finish_reason === 'stop'));
  assert.deepEqual(statuses(sdk).toSorted(), [200, 200, 429]);
  const { code, headers } = sdk.answers.find(({ status }) => status === 429);
  assert.deepEqual([code, headers.get('x-should-retry')], ['rate_limit_exceeded', 'true']);
  assert.match(headers.get('retry-after'), /^[12]$/);
  assert.equal(world.provider.stats().requests, 2);
});

test('calls at once that do not end: the SDK gives up after its two retries', TIMEOUT, async () => {
  const sdk = sdkOf((await world.tenant('no-room', { limits: [{ what: 'concurrency', max: 1 }] })).key);
  world.provider.reset();
  world.gate.hold();
  const first = ask(sdk, { model: 'gated' });
  await world.reached(1);
  const error = await errorOf(ask(sdk));
  assert.deepEqual([statuses(sdk), error.code, error.type], [[429, 429, 429], 'concurrency_limit_exceeded', 'concurrency']);
  world.gate.release();
  await first;
  assert.equal(world.provider.stats().requests, 1);
});

const small = { what: 'output_tokens', window: 'day', max: 12 };
const FINAL = {
  'a budget that is used up': [{ what: 'cost', window: 'lifetime', max: '0.0002' }, 'insufficient_quota', 'project_spend_limit_exceeded', 1],
  'a quota that is used up': [{ what: 'requests', window: 'month', max: 1 }, 'insufficient_quota', 'insufficient_quota', 1],
  'a window that is full for long': [{ what: 'requests', window: '1h', max: 1 }, 'requests', 'rate_limit_exceeded', 1],
  'a request that no window could ever hold': [small, 'invalid_request_error', 'request_too_large_for_limit', 0],
};
for (const [what, [limit, type, code, passing]] of Object.entries(FINAL)) {
  test(`${what}: one request, and no retry`, TIMEOUT, async () => {
    const tenant = await world.tenant(`final-${Object.keys(FINAL).indexOf(what)}`, { limits: [limit], on_shortfall: 'reject' });
    const sdk = sdkOf(tenant.key);
    for (let call = 0; call < passing; call += 1) await ask(sdk, { model: 'greedy' });
    await tenant.settled(passing);
    world.provider.reset();
    const error = await errorOf(ask(sdk));
    assert.ok(error instanceof OpenAI.RateLimitError, String(error));
    assert.deepEqual([error.status, error.type, error.code], [429, type, code]);
    assert.deepEqual([error.headers.get('x-should-retry'), error.headers.get('retry-after')], ['false', null]);
    assert.deepEqual(statuses(sdk).slice(passing), [429]);
    assert.equal(world.provider.stats().requests, 0);
  });
}

test('a shortfall is in the error as words and as a number, and a call for so much passes', TIMEOUT, async () => {
  const tenant = await world.tenant('shortfall', { limits: [{ name: 'out', ...small }], on_shortfall: 'reject' });
  const sdk = sdkOf(tenant.key);
  const error = await errorOf(ask(sdk));
  assert.match(error.message, /You requested up to 20 tokens, but can only afford 12\./);
  assert.equal(error.error.affordable_output_tokens, 12);
  assert.deepEqual(error.error.limits.map(({ name, cause, max, asked }) => [name, cause, max, asked]), [['out', 'never', 12, 20]]);
  assert.equal(error.headers.get('x-tollgate-budget-remaining'), '12');
  await ask(sdk, { max_tokens: error.error.affordable_output_tokens });
  await tenant.settled(1);
  // 5 of 12 tokens were used: what is asked for could pass another day, and 7 would pass now.
  const later = await errorOf(ask(sdk, { max_tokens: 10 }));
  assert.match(later.message, /"out".* You requested up to 10 tokens, but can only afford 7\. Try again in \d/);
  assert.deepEqual([later.code, later.error.affordable_output_tokens], ['insufficient_quota', 7]);
  await ask(sdk, { max_tokens: 7 });
});
