// A machine's clock that was ahead and has come back: no window stands still until time has caught up, no count is lost, and no
// hold, rest or debt is left where nobody can wait for it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gatewayWorker } from '../../scripts/lib/gateway.mjs';
import { bodyOf, chat, eventually, inTime, nanoOf, startWorld, sumOf } from './support.mjs';

const DAY_MS = 86_400_000;
const COST = 36_000; // of a call with nine tokens of input and nine of output, in nano-USD
const POLICY = {
  limits: [
    { name: 'minute', what: 'requests', per: 'tenant', window: '60s', max: 100 },
    { name: 'hour', what: 'tokens', per: 'key', window: '1h', max: 100_000 },
    { name: 'day', what: 'cost', per: 'tenant', window: 'day', max: '1' },
    { name: 'month', what: 'requests', per: 'key', window: 'month', max: 1_000 },
    { name: 'ever', what: 'cost', per: 'tenant', window: 'lifetime', max: '10' },
    { name: 'at-once', what: 'concurrency', per: 'tenant', max: 100 },
  ],
};

let world;
before(async () => {
  const main = fileURLToPath(new URL('clock/worker.mjs', import.meta.url));
  world = await startWorld({ models: { chat: 'c9-i9', busy: 'fail429-ra3000' }, gated: { slow: 'c9-i9' }, gateway: { worker: { ...(await gatewayWorker()), main } } });
});
after(() => world.stop());

async function clock(ahead) {
  const response = await fetch(`${world.url}/clock`, { method: 'PUT', body: String(ahead) });
  assert.equal(response.status, 200);
  return Number(await response.text());
}

async function calls(tenant, count, key = tenant.key, more = {}) {
  const answers = await Promise.all(Array.from({ length: count }, () => chat(world, key, { model: 'chat', max_tokens: 20, ...more })));
  const statuses = await Promise.all(answers.map(async (answer) => (await answer.text(), answer.status)));
  return statuses.sort();
}

const times = (count, status) => Array.from({ length: count }, () => status);
const used = async (tenant, key) => Object.fromEntries(Object.values((await tenant.usage(key)).limits).map(({ name, used }) => [name, used]));
const dollars = (nano) => (nano / 1e9).toFixed(9).replace(/\.?0+$/, '');

/** What is on disk is dated to now or before, adds up, and is all that there was. */
function checkRows(tenant, count, until) {
  const rows = tenant.calls();
  assert.equal(rows.length, count);
  assert.equal(new Set(rows.map(({ call }) => call)).size, count);
  for (const { at, lease_ends: lease, ended_at: end } of rows) {
    const ends = end === null ? lease <= until + 600_000 : end <= until;
    assert.ok(at / 1_000 <= until && ends, `${at}, ${lease} and ${end} at ${until}`);
  }
  assert.deepEqual(tenant.rows(`SELECT * FROM usage WHERE start > ${until}`), []);
  return rows;
}

for (const evicted of [false, true]) {
  test(`calls of a clock that was a day ahead count from its return on${evicted ? ', also where the object was evicted meanwhile' : ''}`, async () => {
    const tenant = await world.tenant(`ahead-${evicted}`, POLICY);
    const other = await tenant.newKey();
    assert.deepEqual(await calls(tenant, 3), times(3, 200));
    await tenant.settled(3);
    await clock(DAY_MS);
    assert.deepEqual(await calls(tenant, 4), times(4, 200));
    assert.deepEqual(await calls(tenant, 2, other.key), times(2, 200));
    await tenant.settled(9);
    const ahead = await used(tenant);
    assert.deepEqual([ahead.minute, ahead.hour], [6, 4 * 18], 'a day later');
    if (evicted) await world.evict(tenant);
    await clock(0);
    const all = { minute: 9, hour: 7 * 18, day: dollars(9 * COST), month: 7, ever: dollars(9 * COST), 'at-once': 0 };
    assert.deepEqual(await used(tenant), all);
    assert.deepEqual(await used(tenant, other.key), { ...all, hour: 2 * 18, month: 2 });
    assert.deepEqual(await calls(tenant, 1), times(1, 200));
    await tenant.settled(10);
    const now = await clock(0);
    const rows = checkRows(tenant, 10, now + 1);
    assert.equal(sumOf(rows).cost, 10 * COST);

    const before = await used(tenant);
    await world.evict(tenant);
    assert.deepEqual(await used(tenant), before, 'and after a start it is the same');
    // The minute goes by: what was dated ahead leaves its window as what was not.
    await clock(61_000);
    assert.equal((await used(tenant)).minute, 0);
    await clock(0);
  });
}

test('more calls than memory keeps, summed up while the clock was ahead: their usage is that of the periods of the return', async () => {
  const tenant = await world.tenant('many', { limits: POLICY.limits.map((limit) => ({ ...limit, max: limit.what === 'requests' ? 10_000 : limit.max })) });
  await calls(tenant, 5);
  await clock(40 * DAY_MS);
  for (let round = 0; round < 12; round += 1) assert.deepEqual(await calls(tenant, 50, tenant.key, { max_tokens: 9 }), times(50, 200));
  await tenant.settled(605);
  // An hour later all of them are in rows of usage.
  await clock(40 * DAY_MS + 3_600_000);
  await calls(tenant, 1);
  await tenant.settled(606);
  const flushed = () => Number(tenant.rows("SELECT value FROM facts WHERE name = 'flushed'")[0]?.value ?? 0);
  await eventually('calls are summed up', async () => (await calls(tenant, 10), flushed() > 0));
  const count = (await tenant.settled()).length;
  const now = await clock(0);
  const { periods, limits } = await tenant.usage();
  for (const period of ['hour', 'day', 'week', 'month', 'lifetime']) assert.equal(periods[period].total.calls, count, period);
  assert.equal(limits.month.used, count);
  assert.equal(limits.day.used, dollars(count * COST));
  await world.evict(tenant);
  const again = await tenant.usage();
  assert.deepEqual([again.periods, again.limits.day.used, again.limits.minute.used], [periods, limits.day.used, count]);
  checkRows(tenant, count, now + 60_000);
  assert.ok(flushed() <= (now + 60_000) * 1_000);
});

test('a call under way goes on: its end is its own, its hold ends by a lease that can be waited for', async () => {
  const tenant = await world.tenant('under-way', POLICY);
  world.provider.reset();
  world.gate.hold();
  await clock(DAY_MS);
  const [whole, streamed] = [false, true].map((stream) => chat(world, tenant.key, { model: 'slow', max_tokens: 20, stream }));
  await world.reached(2);
  const now = await clock(0);
  assert.equal((await tenant.usage()).limits['at-once'].held, 2);
  checkRows(tenant, 2, now + 60_000);
  world.gate.release();
  for (const answer of [await inTime('an answer', whole), await inTime('a stream', streamed)]) {
    assert.equal(answer.status, 200);
    await answer.text();
  }
  const rows = await tenant.settled(2);
  assert.deepEqual(rows.map(({ truth, state }) => [truth, state]), times(2, ['reported', 'settled']));
  assert.equal(nanoOf((await tenant.usage()).limits.ever.used), 2 * COST);
  assert.equal((await tenant.usage()).limits['at-once'].held, 0);
});

test('what a day ahead has used beyond its budget is owed by the day after the return', async () => {
  const limits = [{ name: 'day', what: 'cost', per: 'tenant', window: 'day', max: dollars(10 * COST) }];
  const tenant = await world.tenant('owing', { limits });
  const one = () => calls(tenant, 1, tenant.key, { max_tokens: 9 });
  for (let call = 0; call < 6; call += 1) assert.deepEqual(await one(), [200]);
  await clock(DAY_MS);
  for (let call = 0; call < 8; call += 1) assert.deepEqual(await one(), [200]);
  await tenant.settled(14);
  await clock(0);
  const day = (await tenant.usage()).limits.day;
  assert.deepEqual([nanoOf(day.used), nanoOf(day.remaining)], [14 * COST, 0]);
  assert.deepEqual(await one(), [429]);
  assert.deepEqual(tenant.rows('SELECT amount FROM debts').map(({ amount }) => amount), [4 * COST]);
  await clock(DAY_MS);
  const next = (await tenant.usage()).limits.day;
  assert.deepEqual([nanoOf(next.used), nanoOf(next.debt)], [4 * COST, 4 * COST]);
  await clock(0);
});

test('the answer of a named call that was made ahead is still given again, also after a start', async () => {
  const tenant = await world.tenant('named', POLICY);
  const ask = async () => {
    const headers = { authorization: `Bearer ${tenant.key}`, 'content-type': 'application/json', 'idempotency-key': 'once' };
    const response = await fetch(`${world.url}/v1/chat/completions`, { method: 'POST', headers, body: bodyOf({ model: 'chat' }) });
    return [response.status, response.headers.get('x-tollgate-original-request-id'), await response.text()];
  };
  await clock(DAY_MS);
  const [, , answer] = await ask();
  const [{ call }] = await tenant.settled(1);
  await clock(0);
  assert.deepEqual(await ask(), [200, call, answer]);
  await world.evict(tenant);
  assert.deepEqual(await ask(), [200, call, answer]);
  const [places] = tenant.rows('SELECT c.at AS call, n.at AS name, a.at AS answer FROM calls c, names n, answers a');
  assert.deepEqual([places.name, places.answer], [places.call, places.call]);
});

test('a target that was to rest until a time ahead is tried again within a minute', async () => {
  const tenant = await world.tenant('resting', { limits: [] });
  await clock(DAY_MS);
  assert.deepEqual(await calls(tenant, 1, tenant.key, { model: 'busy' }), [429]);
  const rests = () => tenant.rows('SELECT rests_until FROM health WHERE rests > 0').map(({ rests_until: until }) => until);
  await eventually('it rests', () => rests().length === 1);
  const now = await clock(0);
  await tenant.usage();
  assert.ok(rests()[0] <= now + 61_000, `until ${rests()} at ${now}`);
});

test('a clock that is a moment behind changes nothing: time waits for it', async () => {
  const tenant = await world.tenant('moment', POLICY);
  await clock(3_000);
  assert.deepEqual(await calls(tenant, 2), times(2, 200));
  const before = (await tenant.settled(2)).map(({ at }) => at);
  await clock(0);
  assert.deepEqual(await calls(tenant, 1), times(1, 200));
  const places = (await tenant.settled(3)).map(({ at }) => at);
  assert.deepEqual(places.slice(0, 2), before);
  assert.ok(places[2] > places[1]);
  assert.equal((await used(tenant)).minute, 3);
});
