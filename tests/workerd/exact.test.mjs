// Limits are exact: of any number of calls at once exactly as many are admitted as fit, and a refusal costs nothing.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { NANO, bodyOf, burst, chat, dollarsOf, nanoOf, startWorld, sumOf } from './support.mjs';

const CALLERS = 1_000;
const ADMITTED = 100;
const OUTPUT = 20;
const ALL_REFUSED = { 429: CALLERS };
const AS_MANY_AS_FIT = { 200: ADMITTED, 429: CALLERS - ADMITTED };

// Money holds the most that the input can be, a token for each byte; limits on tokens hold a quarter of that. The models use exactly
// what is held, so that a call that ends early makes no room for another.
const BYTES = Buffer.byteLength(bodyOf({ model: 'by-money' }));
const ESTIMATE = Math.ceil(BYTES / 4);
const MODELS = { 'by-money': `c${OUTPUT}-i${BYTES}`, 'by-token': `c${OUTPUT}-i${ESTIMATE}` };
const TOKENS = ESTIMATE + OUTPUT;
const COST = BYTES * NANO.input + OUTPUT * NANO.output;

let world;
before(async () => { world = await startWorld({ models: MODELS, gated: { gated: 'c1-i1' } }); });
after(() => world.stop());

/** One burst by a fresh tenant with `limit`; what it was answered, what the provider saw, and what the ledger holds afterwards. */
async function race(id, limit, model) {
  const tenant = await world.tenant(id, { limits: [{ name: 'it', models: ['*'], ...limit }] });
  world.provider.reset();
  const racers = await burst(world, tenant.key, CALLERS, { model });
  const statuses = await racers.all();
  const calls = await tenant.settled(statuses[200] ?? 0);
  racers.end();
  const seen = world.provider.calls().map(({ call }) => call);
  return { tenant, statuses, calls, seen };
}

const namesOf = (calls) => calls.map(({ call }) => call).toSorted();

async function checkRace(id, limit, model) {
  const { tenant, statuses, calls, seen } = await race(id, limit, model);
  assert.deepEqual(statuses, AS_MANY_AS_FIT, id);
  assert.deepEqual(seen.toSorted(), namesOf(calls), `${id}: the provider saw each admitted call once, and no other`);
  assert.ok(calls.every(({ state, truth }) => state === 'settled' && truth === 'reported'), id);
  const { it } = (await tenant.usage()).limits;
  assert.deepEqual([it.used, it.held], [it.max, limit.what === 'cost' ? '0' : 0], id);
  return calls;
}

for (let run = 1; run <= 20; run += 1) {
  test(`of 1,000 calls at once exactly 100 pass a limit of 100 requests in 60 s (${run} of 20)`, async () => {
    await checkRace(`requests-${run}`, { what: 'requests', per: 'key', window: '60s', max: ADMITTED }, 'by-token');
  });
}

for (let run = 1; run <= 5; run += 1) {
  test(`of 1,000 calls at once exactly those pass whose tokens fit (${run} of 5)`, async () => {
    const calls = await checkRace(`tokens-${run}`, { what: 'tokens', per: 'tenant', window: '60s', max: ADMITTED * TOKENS }, 'by-token');
    const { input_tokens: input, output_tokens: output } = sumOf(calls);
    assert.equal(input + output, ADMITTED * TOKENS);
  });

  test(`of 1,000 calls at once exactly those pass whose cost fits (${run} of 5)`, async () => {
    const budget = dollarsOf(ADMITTED * COST);
    const calls = await checkRace(`cost-${run}`, { what: 'cost', per: 'tenant', window: 'month', max: budget }, 'by-money');
    assert.equal(sumOf(calls).cost, ADMITTED * COST);
  });
}

for (let run = 1; run <= 5; run += 1) {
  test(`of 1,000 calls at once exactly 100 are ever under way where concurrency is limited to 100 (${run} of 5)`, async () => {
    const tenant = await world.tenant(`busy-${run}`, { limits: [{ name: 'busy', what: 'concurrency', per: 'tenant', max: ADMITTED }] });
    world.provider.reset();
    world.gate.hold();
    const racers = await burst(world, tenant.key, CALLERS, { model: 'gated' });
    assert.deepEqual(await racers.until((seen) => seen[429] >= CALLERS - ADMITTED), { 429: CALLERS - ADMITTED });
    await world.reached(ADMITTED);
    assert.equal((await tenant.usage()).limits.busy.held, ADMITTED);
    assert.equal((await chat(world, tenant.key, { model: 'gated' })).status, 429, 'one more is refused');
    world.gate.release();
    assert.deepEqual(await racers.all(), AS_MANY_AS_FIT);
    const calls = await tenant.settled(ADMITTED);
    racers.end();
    assert.deepEqual(namesOf(world.provider.calls()), namesOf(calls));
    assert.equal((await tenant.usage()).limits.busy.held, 0);
    assert.equal((await chat(world, tenant.key, { model: 'gated' })).status, 200, 'and passes once there is room');
  });
}

test('of 1,000 calls at once that all limits cover, the tightest decides, and no other is passed either', async () => {
  const tenant = await world.tenant('all-at-once', {
    limits: [
      { name: 'requests', what: 'requests', per: 'key', window: '60s', max: ADMITTED + 20 },
      { name: 'tokens', what: 'tokens', per: 'tenant', window: '60s', max: (ADMITTED + 10) * (BYTES + OUTPUT) },
      { name: 'cost', what: 'cost', per: 'tenant', window: 'lifetime', max: dollarsOf(ADMITTED * COST) },
      { name: 'at-once', what: 'concurrency', per: 'key', max: CALLERS },
    ],
  });
  const racers = await burst(world, tenant.key, CALLERS, { model: 'by-money' });
  assert.deepEqual(await racers.all(), AS_MANY_AS_FIT);
  await tenant.settled(ADMITTED);
  racers.end();
  const { limits } = await tenant.usage();
  assert.deepEqual(
    [limits.requests.used, limits.tokens.used, nanoOf(limits.cost.used), limits['at-once'].held],
    [ADMITTED, ADMITTED * (BYTES + OUTPUT), ADMITTED * COST, 0],
  );
});

/** All that a refusal could change, but for the instant at which it is asked. */
async function everything(tenant) {
  const { as_of: _, ...usage } = await tenant.usage();
  const { object_requests: __, ...metrics } = await tenant.metrics();
  const tables = ['calls', 'usage', 'facts', 'health', 'keys'].map((table) => [table, tenant.rows(`SELECT * FROM ${table}`)]);
  return { usage, metrics, ...Object.fromEntries(tables) };
}

const FULL = [
  { what: 'requests', per: 'key', window: '1h', max: 3 },
  { what: 'tokens', per: 'tenant', window: '1h', max: 3 * (BYTES + OUTPUT) },
  { what: 'output_tokens', per: 'tenant', window: 'day', max: 3 * OUTPUT },
  { what: 'input_tokens', per: 'key', window: 'lifetime', max: 3 * BYTES },
  { what: 'cost', per: 'tenant', window: 'month', max: dollarsOf(3 * COST) },
];
for (const limit of FULL) {
  test(`a burst that is refused by a limit on ${limit.what} leaves every count as it was, and writes no row`, async () => {
    const tenant = await world.tenant(`refused-${limit.what.replace('_', '-')}`, { limits: [{ name: 'full', ...limit }] });
    for (let call = 0; call < 3; call += 1) assert.equal((await chat(world, tenant.key, { model: 'by-money' })).status, 200);
    await tenant.settled(3);
    const was = await everything(tenant);
    world.provider.reset();
    const racers = await burst(world, tenant.key, CALLERS, { model: 'by-money' });
    assert.deepEqual(await racers.all(), ALL_REFUSED);
    racers.end();
    assert.deepEqual(await everything(tenant), was);
    assert.equal(world.provider.stats().requests, 0);
  });
}

test('a burst that is refused by a limit on concurrency leaves every count as it was, and writes no row', async () => {
  const tenant = await world.tenant('refused-busy', { limits: [{ name: 'busy', what: 'concurrency', per: 'tenant', max: 1 }] });
  world.provider.reset();
  world.gate.hold();
  const first = chat(world, tenant.key, { model: 'gated' });
  await world.reached(1);
  const was = await everything(tenant);
  const racers = await burst(world, tenant.key, CALLERS, { model: 'gated' });
  assert.deepEqual(await racers.all(), ALL_REFUSED);
  racers.end();
  assert.deepEqual(await everything(tenant), was);
  world.gate.release();
  assert.equal((await first).status, 200);
  assert.equal(world.provider.stats().requests, 1);
});
