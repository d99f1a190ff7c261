// Objects that have seen much: many calls in a window, as many keys as there may be, rows that are old. Rows are put into an object's file
// while the gateway is stopped; what it then says of itself is what they come to.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chat, eventually, refusal, startWorld } from './support.mjs';

const HOUR_MS = 3_600_000;
const KEYS_MAX = 10_000;

let world;
before(async () => { world = await startWorld({ models: { chat: 'c3-i9' } }); });
after(() => world.stop());

const answers = async (key) => {
  const response = await chat(world, key, { model: 'chat' });
  await response.arrayBuffer();
  return response.status;
};

/** `count` copies of the newest call, every `step` ms up to `until`, as calls that are summed up already. */
function addCalls(database, count, until, step) {
  const like = database.prepare('SELECT * FROM calls ORDER BY at DESC LIMIT 1').get();
  const columns = Object.keys(like);
  const insert = database.prepare(`INSERT INTO calls (${columns}) VALUES (${columns.map(() => '?')})`);
  database.exec('BEGIN');
  for (let nth = 0; nth < count; nth += 1) {
    const call = `00000000-0000-4000-8000-${String(nth).padStart(12, '0')}`;
    insert.run(...Object.values({ ...like, call, at: (until - nth * step) * 1_000 + 1 }));
  }
  database.prepare("INSERT OR REPLACE INTO facts VALUES ('flushed', ?)").run(String((until + 1) * 1_000));
  database.exec('COMMIT');
}

test('with 50,000 calls in an hour edits keep and find every count, by key and for all', async () => {
  const limit = (name, what, more = {}) => ({ name, what, per: 'tenant', window: '1h', max: 10_000_000, ...more });
  const tenant = await world.tenant('busy-hour', { limits: [limit('calls', 'requests')] });
  assert.equal(await answers(tenant.key), 200);
  await tenant.settled(1);
  const added = 49_999;
  const until = Math.floor(tenant.calls()[0].at / 1_000) - 1_000;
  await tenant.rewrite((database) => addCalls(database, added, until, 50));
  const used = async (key) => {
    const { limits } = await tenant.usage(key);
    return Object.fromEntries(Object.values(limits).map(({ name, used }) => [name, used]));
  };
  const calls = added + 1;
  assert.deepEqual(await used(), { calls }, 'after a start');
  const limits = [
    limit('renamed', 'requests'), limit('tokens', 'tokens'), limit('each', 'input_tokens', { per: 'key' }),
    limit('shorter', 'requests', { window: '10m' }), limit('others', 'requests', { models: ['x*'] }),
  ];
  await world.admin('PATCH', `/tenants/${tenant.id}`, { policy: { limits } });
  const all = { renamed: calls, tokens: calls * 12, each: calls * 9, others: 0 };
  const { shorter, ...edited } = await used();
  assert.deepEqual(edited, all);
  assert.ok(shorter > 9_000 && shorter <= 12_001, `${shorter} calls of the last ten minutes, one each 50 ms`);
  const other = await tenant.newKey({ policy: { limits: [limit('own', 'requests', { per: 'key' })] } });
  const { shorter: _, ...others } = await used(other.key);
  assert.deepEqual(others, { ...all, each: 0, own: 0 });
  await world.evict(tenant);
  const { shorter: __, ...restored } = await used();
  assert.deepEqual(restored, all, 'and its rows say the same');
});

test('a tenant has ten thousand keys at most, is told so before anything is stored, and works on', async () => {
  const tenant = await world.tenant('many-keys', { limits: [{ what: 'requests', per: 'key', window: '60s', max: 9 }] });
  await tenant.rewrite((database) => {
    const { record } = database.prepare('SELECT record FROM keys').get();
    const insert = database.prepare('INSERT INTO keys VALUES (?, ?)');
    database.exec('BEGIN');
    for (let nth = 1; nth < KEYS_MAX - 1; nth += 1) {
      const id = `K${String(nth).padStart(21, '0')}`;
      insert.run(id, JSON.stringify({ ...JSON.parse(record), id }));
    }
    database.exec('COMMIT');
  });
  const last = await tenant.newKey();
  assert.equal(await answers(last.key), 200);
  const listed = async () => (await world.admin('GET', `/tenants/${tenant.id}/keys`)).data.length;
  const before = await listed();
  await assert.rejects(tenant.newKey(), /409 .*would have 10001 keys; at most 10000/);
  assert.equal(await listed(), before, 'nothing is stored');
  await world.admin('PATCH', `/tenants/${tenant.id}/keys/${last.keyId}`, { name: 'still changed' });
  assert.deepEqual([await answers(last.key), await answers(tenant.key)], [200, 200]);
});

test('rows that are older than the ledger keeps them are dropped step by step, and sums stay', async () => {
  const policy = { limits: [{ name: 'ever', what: 'requests', per: 'tenant', window: 'lifetime', max: 9_999 }], ledger_days: 1, lease: '1s' };
  const tenant = await world.tenant('old', policy);
  assert.equal(await answers(tenant.key), 200);
  await tenant.settled(1);
  const old = 2_500;
  await tenant.rewrite((database) => {
    const { at } = database.prepare('SELECT at FROM calls').get();
    addCalls(database, old, Math.floor(at / 1_000) - 25 * HOUR_MS, 1);
    database.prepare("UPDATE facts SET value = ? WHERE name = 'flushed'").run(String(at));
    assert.equal(database.prepare('SELECT count(*) AS calls FROM calls').get().calls, old + 1);
  });
  assert.equal(await answers(tenant.key), 200);
  await eventually('the old rows are dropped', () => tenant.calls().length === 2);
  assert.equal((await tenant.usage()).limits.ever.used, 2);
  const { database_bytes: bytes, oldest_call: oldest } = await tenant.metrics();
  assert.ok(bytes > 0 && oldest === Math.floor(tenant.calls()[0].at / 1_000), `${bytes} bytes, ${oldest}`);
});

test('a key that was revoked hours ago leaves the object, and nothing brings it back', async () => {
  const tenant = await world.tenant('gone', { lease: '1s' });
  const gone = await tenant.newKey();
  assert.equal(await answers(gone.key), 200);
  await world.admin('DELETE', `/tenants/${tenant.id}/keys/${gone.keyId}`);
  await tenant.settled(1);
  const keys = () => tenant.rows('SELECT id FROM keys').map(({ id }) => id);
  assert.deepEqual(keys().toSorted(), [tenant.keyId, gone.keyId].toSorted(), 'at first it stays');
  await tenant.rewrite((database) => {
    const ago = BigInt(Date.now() - 4 * HOUR_MS);
    // Its call is older than what may still be asked for again.
    database.exec('UPDATE calls SET at = at - 20000000');
    database.prepare("UPDATE keys SET record = json_set(record, '$.revoked_at', ?) WHERE id = ?").run(ago, gone.keyId);
  });
  assert.equal(await answers(tenant.key), 200);
  await eventually('the key has left', () => keys().length === 1);
  const { status, code } = await refusal(await chat(world, gone.key, { model: 'chat' }));
  assert.deepEqual([status, code], [401, 'invalid_api_key']);
  assert.equal((await tenant.usage()).periods.lifetime.keys[gone.keyId].calls, 1, 'what it used is still shown');
  const { revoked_at: revokedAt } = await world.admin('GET', `/tenants/${tenant.id}/keys/${gone.keyId}`);
  assert.ok(revokedAt, 'the registry keeps its record');
});
