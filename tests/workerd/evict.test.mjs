// An object's memory is a cache: that it is evicted between any two steps changes nothing that anybody can see.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { load } from '../../bench/load.mjs';
import { bodyOf, chat, eventually, inTime, refusal, startWorld } from './support.mjs';

const SENT = 1_500;
const ADMITTED = 1_000;
const EVERY = 50;

const POLICY = {
  limits: [
    { name: 'requests', what: 'requests', per: 'tenant', window: '1h', max: 4 },
    { name: 'tokens', what: 'tokens', per: 'key', window: '1h', max: 1_000 },
    { name: 'output', what: 'output_tokens', per: 'tenant', window: 'day', max: 600 },
    { name: 'cost', what: 'cost', per: 'tenant', window: 'lifetime', max: '1' },
    { name: 'at-once', what: 'concurrency', per: 'tenant', max: 2 },
  ],
};
const MODELS = { chat: 'c3-i9', failing: 'fail500', untold: 'c4-nousage' };

let world;
let undisturbed;
before(async () => {
  world = await startWorld({ models: MODELS, gated: { slow: 'c5-i11' } });
  undisturbed = await live('twin-undisturbed', []);
});
after(() => world.stop());

/** The story's steps, each giving what can be seen of it. `it` is what one tenant remembers from step to step. */
const STORY = {
  async 'a stream is admitted'(it) {
    it.other = await it.tenant.newKey();
    world.provider.reset();
    world.gate.hold();
    it.asked = chat(world, it.tenant.key, { model: 'slow', stream: true, max_tokens: 300 });
    await world.reached(1);
    return world.provider.calls().map(({ body }) => body.max_tokens);
  },
  async 'its first chunk comes'(it) {
    world.gate.pass(2);
    it.stream = await inTime('the stream has begun', it.asked);
    it.reader = it.stream.body.pipeThrough(new TextDecoderStream()).getReader();
    it.text = '';
    while (!it.text.includes('"content":"the ')) it.text += (await inTime('a chunk', it.reader.read())).value;
    return [it.stream.status, ratesOf(it.stream)];
  },
  'a second call is admitted beside it': (it) => whole(it, 'chat', 1),
  'usage shows what is held': (it) => shown(it),
  async 'the stream ends and is settled'(it) {
    world.gate.release();
    for (let step; !(step = await inTime('the stream ends', it.reader.read())).done;) it.text += step.value;
    await ended(it, 2);
    return it.text.match(/"content":"[^"]*"|\[DONE\]/g);
  },
  'usage shows what was used': (it) => shown(it),
  'a call fails and costs nothing': (it) => whole(it, 'failing', 3),
  async 'a call that nobody told the usage of is counted, its cap lowered to what is left'(it) {
    const seen = await whole(it, 'untold', 4, { max_tokens: 5_000 });
    return [seen, world.provider.calls().at(-1).body.max_tokens];
  },
  async 'the fifth call is refused'(it) {
    const response = await chat(world, it.tenant.key, { model: 'chat' });
    const { error } = await response.json();
    return [response.status, error.code, error.limits.map(({ retry_after_ms: _, ...limit }) => limit)];
  },
  'the key is revoked': async (it) => (await world.admin('DELETE', `/tenants/${it.tenant.id}/keys/${it.tenant.keyId}`)).enabled,
  'the revoked key is refused': async (it) => refusal(await chat(world, it.tenant.key, { model: 'chat' })),
  'the other key still sees all': (it) => shown(it, it.other.key),
  'the ledger holds every call': async (it) =>
    it.tenant.calls().map(({ at: _, call: __, lease_ends: ___, ended_at: ____, ...row }) => row),
};

async function whole(it, model, settled, more) {
  const response = await chat(world, it.tenant.key, { model, ...more });
  const { choices, error, usage } = await response.json();
  await ended(it, settled);
  return [response.status, choices?.[0].message.content, error?.code, usage?.total_tokens, ratesOf(response)];
}

const ended = (it, count) =>
  eventually(`${count} calls are settled`, () => it.tenant.calls().filter(({ state }) => state === 'settled').length === count);

const ratesOf = ({ headers }) => [...headers].filter(([name]) => /^x-(ratelimit-(limit|remaining)|tollgate)/.test(name));

async function shown(it, key) {
  const { as_of: _, limits, ...usage } = await it.tenant.usage(key);
  return { ...usage, limits: Object.values(limits).map(({ resets_at: __, ...limit }) => limit) };
}

/** Lives the story as tenant `id`, whose object is evicted before each of `steps`; what was seen, with all names made one. */
async function live(id, steps) {
  const it = { tenant: await world.tenant(id, POLICY) };
  const seen = {};
  for (const [name, step] of Object.entries(STORY)) {
    if (steps.includes(name)) await evict(it.tenant);
    seen[name] = await step(it);
  }
  const names = [[it.tenant.id, 'tenant'], [it.tenant.keyId, 'key'], [it.other.keyId, 'other']];
  return JSON.parse(names.reduce((text, [name, general]) => text.replaceAll(name, general), JSON.stringify(seen)));
}

async function evict(tenant) {
  await world.evict(tenant);
  assert.equal((await tenant.metrics()).rows_written, 0, 'the object has started anew');
}

const STEPS = Object.keys(STORY);
test('the story is what it should be when nothing is evicted', () => {
  const of = (name) => undisturbed[name];
  assert.deepEqual(of('usage shows what is held').limits.find(({ name }) => name === 'at-once').held, 1);
  assert.equal(of('the fifth call is refused')[0], 429);
  assert.equal(of('the revoked key is refused').status, 401);
  assert.deepEqual(of('the ledger holds every call').map(({ state }) => state), Array(4).fill('settled'));
  assert.ok(of('a call that nobody told the usage of is counted, its cap lowered to what is left')[1] < 600);
});

for (const [nth, name] of STEPS.entries()) {
  if (nth === 0) continue;
  test(`an eviction before “${name}” changes nothing`, async () => {
    assert.deepEqual(await live(`twin-${nth}x`, [name]), undisturbed);
  });
}

test('an eviction before every step changes nothing', async () => {
  assert.deepEqual(await live('twin-always', STEPS), undisturbed);
});

/** Evicts the object each time that the provider has seen some more calls. */
async function evictAmid(tenant) {
  for (let calls = EVERY; calls < ADMITTED; calls += EVERY) {
    await world.reached(calls);
    await world.evict(tenant);
  }
}

for (let run = 1; run <= 5; run += 1) {
  test(`evictions amid the load, one after every ${EVERY} calls, let as many calls pass as fit, and fail none (${run} of 5)`, async () => {
    const limits = [{ name: 'requests', what: 'requests', per: 'key', window: '1h', max: ADMITTED }];
    const tenant = await world.tenant(`amid-${run}`, { limits });
    world.provider.reset();
    const [{ statuses, errors }] = await Promise.all([
      load({
        url: `${world.url}/v1/chat/completions`, connections: 64, requests: SENT,
        headers: { authorization: `Bearer ${tenant.key}` }, body: JSON.parse(bodyOf({ model: 'chat' })),
      }),
      evictAmid(tenant),
    ]);
    assert.deepEqual([statuses, errors], [{ 200: ADMITTED, 429: SENT - ADMITTED }, {}]);
    const calls = await tenant.settled(ADMITTED);
    assert.ok(calls.every(({ state }) => state === 'settled'));
    assert.deepEqual(world.provider.calls().map(({ call }) => call).toSorted(), calls.map(({ call }) => call).toSorted());
    assert.equal((await tenant.usage()).limits.requests.used, ADMITTED);
  });
}
