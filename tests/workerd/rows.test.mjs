// What a call costs on the platform: rows written and requests to the tenant's object, as the object counts them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { load } from '../../bench/load.mjs';
import { bodyOf, chat, startWorld } from './support.mjs';

const ROWS_IDLE = 3;
const ROWS_BUSY = 2.2;
const REQUESTS = 2;
const EVERY_KIND = {
  limits: [
    { name: 'requests', what: 'requests', per: 'key', window: '60s', max: 1e9 },
    { name: 'tokens', what: 'tokens', per: 'key', window: '60s', max: 1e12 },
    { name: 'output', what: 'output_tokens', per: 'tenant', window: 'day', max: 1e12 },
    { name: 'cost', what: 'cost', per: 'tenant', window: 'month', max: '1000000' },
    { name: 'at-once', what: 'concurrency', per: 'key', max: 100_000 },
  ],
};

let world;
before(async () => { world = await startWorld({ models: { chat: 'c10' } }); });
after(() => world.stop());

/** What `work`, which makes `count` calls, adds to each counter per call. */
async function perCall(context, tenant, count, work) {
  const before = await tenant.metrics();
  await work();
  await tenant.settled(count);
  const after = await tenant.metrics();
  assert.equal(after.calls - before.calls, count);
  const each = (name) => (after[name] - before[name]) / count;
  const costs = { rows: each('rows_written'), requests: each('object_requests'), commits: each('commits') };
  context.diagnostic(JSON.stringify(costs));
  assert.equal(after.d1_reads - before.d1_reads, 0);
  return costs;
}

for (const stream of [false, true]) {
  const kind = stream ? 'stream' : 'whole answer';
  test(`a ${kind} by itself writes at most ${ROWS_IDLE} rows and makes at most ${REQUESTS} requests of the object`, async (context) => {
    const tenant = await world.tenant(`idle-${stream}`, EVERY_KIND);
    const { rows, requests } = await perCall(context, tenant, 50, async () => {
      for (let call = 0; call < 50; call += 1) await (await chat(world, tenant.key, { model: 'chat', stream })).text();
    });
    assert.ok(rows <= ROWS_IDLE, `${rows} rows`);
    assert.ok(requests <= REQUESTS, `${requests} requests`);
  });

  test(`a ${kind} among 64 writes at most ${ROWS_BUSY} rows and makes at most ${REQUESTS} requests of the object`, async (context) => {
    const tenant = await world.tenant(`busy-${stream}`, EVERY_KIND);
    const { rows, requests } = await perCall(context, tenant, 5_000, async () => {
      const result = await load({
        url: `${world.url}/v1/chat/completions`, connections: 64, requests: 5_000,
        headers: { authorization: `Bearer ${tenant.key}` }, body: JSON.parse(bodyOf({ model: 'chat', stream })),
      });
      assert.deepEqual([result.statuses, result.errors], [{ 200: 5_000 }, {}]);
    });
    assert.ok(rows <= ROWS_BUSY, `${rows} rows`);
    assert.ok(requests <= REQUESTS, `${requests} requests`);
  });
}
