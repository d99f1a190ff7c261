// A crash loses nothing and doubles nothing: workerd is killed at random moments under load, and what is on disk still adds up.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { NANO, chat, inTime, nanoOf, startWorld, sumOf } from './support.mjs';

const CRASHES = 20;
const CLIENTS = 12;
const KEYS = 3;
const FEW = 150;
const MANY = 1_200; // more than stay in memory: some are summed up on the way
const MODELS = {
  whole: 'c5-i7', cached: 'c4-i40-k16', late: 'c3-i9-l15', failing: 'fail500',
  stream: 'c8-i7', slow: 'c12-i7-d2', untold: 'c6-i7-nousage', cut: 'c9-cut3',
};
const STREAMED = ['stream', 'slow', 'untold', 'cut'];
// A crashed call's hold ends by its lease alone, so it is as short as it can be.
const POLICY = {
  lease: '1s',
  limits: [
    { name: 'requests', what: 'requests', per: 'tenant', window: 'lifetime', max: 1e9 },
    { name: 'requests-1h', what: 'requests', per: 'tenant', window: '1h', max: 1e9 },
    { name: 'input', what: 'input_tokens', per: 'tenant', window: 'month', max: 1e12 },
    { name: 'output', what: 'output_tokens', per: 'tenant', window: '1h', max: 1e12 },
    { name: 'tokens', what: 'tokens', per: 'tenant', window: 'lifetime', max: 1e12 },
    { name: 'cost', what: 'cost', per: 'tenant', window: 'lifetime', max: '1000000' },
    { name: 'cost-key', what: 'cost', per: 'key', window: '1h', max: '1000000' },
    { name: 'at-once', what: 'concurrency', per: 'tenant', max: 1_000 },
  ],
};

let world;
let tenant;
let keys;
const answered = new Set(); // the calls whose answer's head a client has seen
const ended = new Map(); // the rows that were there at the crash before, by call
before(async () => {
  world = await startWorld({ models: MODELS });
  tenant = await world.tenant('crash', POLICY);
  keys = [tenant, ...(await Promise.all(Array.from({ length: KEYS - 1 }, () => tenant.newKey())))];
});
after(() => world.stop());

/** One client: call after call, until the gateway is gone. */
async function client() {
  const names = Object.keys(MODELS);
  for (;;) {
    const model = names[randomInt(names.length)];
    try {
      const response = await chat(world, keys[randomInt(KEYS)].key, { model, stream: STREAMED.includes(model) });
      answered.add(response.headers.get('x-request-id'));
      await response.text();
    } catch (error) {
      if (error instanceof TypeError) return; // fetch: no connection, or it broke
      throw error;
    }
  }
}

/** Kills workerd some time after the provider has seen some more calls, and starts it again on the same state. */
async function crash(most) {
  const clients = Array.from({ length: CLIENTS }, client);
  await world.reached(world.provider.calls().length + randomInt(1, most));
  await pause(randomInt(20)); // any moment is as good: this is what makes it random
  const { exited, workerdPid } = world.gateway;
  process.kill(workerdPid, 'SIGKILL');
  await inTime('workerd has ended', exited);
  await inTime('the clients have ended', Promise.all(clients));
  await world.restart();
}

/** Rows, the provider's journal and what clients saw name the same calls, each once. */
function checkNames(calls) {
  const names = new Set(calls.map(({ call }) => call));
  assert.equal(names.size, calls.length, 'no call is in the ledger twice');
  const seen = world.provider.calls().map(({ call }) => call);
  assert.equal(new Set(seen).size, seen.length, 'no call went to the provider twice');
  assert.deepEqual(seen.filter((call) => !names.has(call)), [], 'every call that the provider saw is in the ledger');
  assert.deepEqual([...answered].filter((call) => !names.has(call)), [], 'every call that a client was answered is in the ledger');
}

/** Every row's bill is what the provider made, or, where nobody lived to tell, what was held. */
function checkBills(calls) {
  const made = new Map(world.provider.calls().map((call) => [call.call, call]));
  for (const row of calls) {
    const before = ended.get(row.call);
    if (before) assert.deepEqual(row, before, 'what had ended stays as it was');
    ended.set(row.call, row);
    if (row.state === 'expired') {
      assert.deepEqual([row.input, row.output, row.cost, row.truth], [row.held_input, row.held_output, row.held_cost, 'ceiling']);
      continue;
    }
    assert.equal(row.state, 'settled');
    assert.equal(row.cost, row.input * NANO.input + row.output * NANO.output, `${row.model}: no cached price is set`);
    const { prompt_tokens: input, completion_tokens: output } = made.get(row.call) ?? {};
    if (row.truth === 'counted') assert.ok(row.model === 'untold', `${row.model} was counted`);
    else if (row.truth === 'estimated') assert.ok(row.model === 'cut', `${row.model} was estimated`);
    else assert.deepEqual([row.input, row.output], row.status === 200 ? [input, output] : [0, 0], row.model);
  }
}

/** The ledger, the usage and the limits say the same. */
async function checkSums(calls) {
  const sums = sumOf(calls);
  const { limits, periods } = await tenant.usage();
  const { failed, cached_input_tokens: cached, cost, ...total } = periods.lifetime.total;
  assert.deepEqual({ ...total, cost: nanoOf(cost) }, sums);
  assert.equal(failed, calls.filter(({ status }) => status !== 200).length);
  assert.equal(cached, calls.reduce((sum, row) => sum + row.cached_input, 0));
  for (const key of keys) {
    const own = sumOf(calls.filter((row) => row.key === key.keyId));
    const { calls: count, cost: spent } = periods.lifetime.keys[key.keyId] ?? { calls: 0, cost: '0' };
    assert.deepEqual([count, nanoOf(spent)], [own.calls, own.cost]);
    assert.equal(nanoOf((await tenant.usage(key.key)).limits['cost-key'].used), own.cost);
  }
  assert.ok(Object.values(limits).every(({ held }) => Number(held) === 0), 'nothing is held any more');
  assert.deepEqual([limits.requests.used, limits['requests-1h'].used], [sums.calls, sums.calls]);
  const { input_tokens: input, output_tokens: output } = sums;
  assert.deepEqual([limits.input.used, limits.output.used, limits.tokens.used], [input, output, input + output]);
  assert.equal(nanoOf(limits.cost.used), sums.cost);
}

for (let nth = 1; nth <= CRASHES; nth += 1) {
  test(`a crash under load loses no call, doubles none, and leaves no hold behind (${nth} of ${CRASHES})`, async (context) => {
    await crash(nth % 4 === 0 ? MANY : FEW);
    const calls = await tenant.settled(); // by the object's alarm alone: nobody asks it anything
    checkNames(calls);
    checkBills(calls);
    await checkSums(calls);
    const expired = calls.filter(({ state }) => state === 'expired').length;
    context.diagnostic(`${calls.length} calls in the ledger, ${expired} of them ended by their lease`);
  });
}
