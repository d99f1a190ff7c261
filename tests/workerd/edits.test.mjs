// Limits are edited while 64 callers call without a pause: no call is admitted above what is in force, and no count is lost.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { NANO, bodyOf, burst, chat, dollarsOf, eventually, nanoOf, startWorld, sumOf } from './support.mjs';

const CALLERS = 64;
const OUTPUT = 20;
// The models use exactly what is held: money holds a token of input for each byte.
const BYTES = Buffer.byteLength(bodyOf({ model: 'gated' }));
const COST = BYTES * NANO.input + OUTPUT * NANO.output;

let world;
before(async () => {
  world = await startWorld({ models: { exact: `c${OUTPUT}-i${BYTES}` }, gated: { gated: `c${OUTPUT}-i${BYTES}` } });
});
after(() => world.stop());

const edit = (tenant, policy) => world.admin('PATCH', `/tenants/${tenant.id}`, { policy });

/** 64 callers, each of which calls again as soon as it is answered. */
class Traffic {
  admitted = [];
  refused = [];
  failed = [];
  #on = true;

  constructor(tenant, model) {
    this.tenant = tenant;
    this.callers = Array.from({ length: CALLERS }, async () => {
      while (this.#on) await this.#call(model);
    });
  }

  async #call(model) {
    const asked = performance.now();
    const response = await chat(world, this.tenant.key, { model });
    const { error } = await response.json();
    const list = { 200: this.admitted, 429: this.refused }[response.status] ?? this.failed;
    list.push({ asked, status: response.status, code: error?.code, headers: response.headers });
  }

  /** Waits for so many more refusals of calls that were made from now on; gives them. */
  async refusals(count) {
    const since = performance.now();
    const fresh = () => this.refused.filter(({ asked }) => asked > since);
    await eventually(`${count} more calls of ${this.tenant.id} are refused`, () => fresh().length >= count);
    return fresh();
  }

  async stop() {
    this.#on = false;
    await Promise.all(this.callers);
    assert.deepEqual(this.failed, [], 'every call was admitted or refused');
  }
}

/** The `x-tollgate-budget` header of that name. */
const budget = ({ headers }, name) => headers.get(`x-tollgate-budget-${name}`);

test('a limit on requests goes up and down: its count is one line that no edit breaks', async () => {
  const policy = (max, name = 'it') => ({ limits: [{ name, what: 'requests', per: 'tenant', window: 'lifetime', max }] });
  const tenant = await world.tenant('requests', policy(20));
  world.provider.reset();
  const traffic = new Traffic(tenant, 'exact');
  const reaches = (count) => eventually(`${count} calls are counted`, async () => (await tenant.usage()).limits.it.used === count);
  await reaches(20);
  let most = 20;
  for (const max of [50, 10, 80, 60, 81, 0, 130]) {
    await edit(tenant, policy(max));
    const refused = max > most ? (await reaches(max), []) : await traffic.refusals(3 * CALLERS);
    most = Math.max(most, max);
    assert.ok(refused.every((one) => budget(one, 'limit') === String(max) && budget(one, 'used') === String(most)), `${max}`);
    assert.equal(tenant.calls().length, most, `${most} calls after ${max} were allowed`);
  }
  await edit(tenant, { limits: [...policy(most, 'renamed').limits, { name: 'new', what: 'tokens', window: 'day', max: 1 }] });
  await traffic.refusals(CALLERS);
  await traffic.stop();
  const calls = await tenant.settled(most);
  assert.equal(world.provider.stats().requests, most);
  const numbers = traffic.admitted.map((one) => Number(budget(one, 'used'))).toSorted((a, b) => a - b);
  assert.deepEqual(numbers, Array.from({ length: most }, (_, at) => at + 1), 'each call was the next one');
  assert.ok(traffic.admitted.every((one) => Number(budget(one, 'used')) <= Number(budget(one, 'limit'))), 'within what was in force');
  const { limits } = await tenant.usage();
  const { input_tokens: input, output_tokens: output } = sumOf(calls);
  assert.deepEqual([limits.renamed.used, limits.new.used], [most, input + output]);
});

test('a budget goes up and down while calls hold parts of it: what is held and what is used stays', async () => {
  const policy = (calls) => ({
    limits: [{ name: 'money', what: 'cost', per: 'tenant', window: 'month', max: dollarsOf(calls * COST) }], on_shortfall: 'reject',
  });
  const tenant = await world.tenant('money', policy(10));
  world.gate.hold();
  const traffic = new Traffic(tenant, 'gated');
  const state = async () => {
    const { max, used, held, remaining } = (await tenant.usage()).limits.money;
    return [max, used, held, remaining].map((amount) => Math.round(nanoOf(amount) / COST));
  };
  const reaches = (...expected) => eventually(`money is ${expected}`, async () => String(await state()) === String(expected));
  await reaches(10, 0, 10, 0);
  await edit(tenant, policy(30));
  await reaches(30, 0, 30, 0);
  await edit(tenant, policy(5));
  const reserved = await traffic.refusals(CALLERS);
  assert.ok(reserved.every(({ code }) => code === 'budget_reserved'), JSON.stringify(reserved.map(({ code }) => code)));
  assert.deepEqual(await state(), [5, 0, 30, 0]);
  world.gate.release();
  await reaches(5, 30, 0, 0);
  const exhausted = await traffic.refusals(CALLERS);
  assert.ok(exhausted.every(({ code }) => code === 'project_spend_limit_exceeded'));
  await edit(tenant, policy(40));
  await reaches(40, 40, 0, 0);
  await traffic.refusals(CALLERS);
  await traffic.stop();
  assert.equal(sumOf(await tenant.settled(40)).cost, 40 * COST);
  const within = (one) => nanoOf(budget(one, 'used')) + nanoOf(budget(one, 'held')) <= nanoOf(budget(one, 'limit'));
  assert.ok(traffic.admitted.length === 40 && traffic.admitted.every(within), 'each within what was in force when it was admitted');
});

test('a limit on calls at once that is lowered under 64 of them waits until they are few enough', async () => {
  const policy = (max) => ({ limits: [{ name: 'busy', what: 'concurrency', per: 'tenant', max }] });
  const tenant = await world.tenant('busy', policy(CALLERS));
  world.provider.reset();
  world.gate.hold();
  const first = await burst(world, tenant.key, CALLERS, { model: 'gated' });
  await world.reached(CALLERS);
  await edit(tenant, policy(8));
  const { max, held, remaining } = (await tenant.usage()).limits.busy;
  assert.deepEqual([max, held, remaining], [8, CALLERS, 0]);
  assert.equal((await chat(world, tenant.key, { model: 'gated' })).status, 429);
  world.gate.release();
  assert.deepEqual(await first.all(), { 200: CALLERS }, 'what was admitted is served');
  await tenant.settled(CALLERS);
  world.gate.hold();
  const second = await burst(world, tenant.key, CALLERS, { model: 'gated' });
  await second.until((seen) => seen[429] === CALLERS - 8);
  world.gate.release();
  assert.deepEqual(await second.all(), { 200: 8, 429: CALLERS - 8 });
  first.end();
  second.end();
});

test('a limit is raised for a time: more pass, and when the time is over nothing was reset', async () => {
  const policy = (increase) => ({ limits: [{ name: 'daily', what: 'requests', per: 'tenant', window: 'day', max: 10, increase }] });
  const tenant = await world.tenant('raised', policy());
  const traffic = new Traffic(tenant, 'exact');
  const daily = async () => (await tenant.usage()).limits.daily;
  await eventually('ten calls are counted', async () => (await daily()).used === 10);
  const until = new Date(Date.now() + 3_600_000).toISOString();
  await edit(tenant, policy({ max: 25, until }));
  await eventually('25 calls are counted', async () => (await daily()).used === 25);
  const raised = await daily();
  assert.deepEqual([raised.max, raised.remaining, raised.increase], [25, 0, { until, then: 10 }]);
  assert.ok((await traffic.refusals(CALLERS)).every((one) => budget(one, 'limit') === '25'));

  await edit(tenant, policy({ max: 90_000, until: new Date(Date.now() + 3_000).toISOString() }));
  const over = await eventually('the increase is over', async () => (await daily()).increase === undefined && daily());
  const refused = await traffic.refusals(CALLERS);
  assert.ok(refused.every((one) => budget(one, 'limit') === '10' && one.code === 'insufficient_quota'));
  await traffic.stop();
  const calls = await tenant.settled();
  assert.ok(calls.length > 25, 'some more passed meanwhile');
  assert.deepEqual([over.max, over.used, over.remaining], [10, calls.length, 0]);
});
