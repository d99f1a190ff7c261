// Keys: who may call is decided by the tenant's own object at the moment of the call, and by no database.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gatewayWorker } from '../../scripts/lib/gateway.mjs';
import { SECRETS, chat, eventually, inTime, refusal, startWorld } from './support.mjs';

const LIMITS = { limits: [{ name: 'requests', what: 'requests', per: 'tenant', window: '1h', max: 1_000_000 }] };

let world;
before(async () => { world = await startWorld({ models: { chat: 'c3-i9' }, gated: { slow: 'c3-i9' } }); });
after(() => world.stop());

const revoke = (tenant, keyId = tenant.keyId) => world.admin('DELETE', `/tenants/${tenant.id}/keys/${keyId}`);
const answers = async (key, headers) => {
  const response = await chat(world, key, { model: 'chat' }, headers);
  await response.arrayBuffer();
  return response.status;
};
const isRefusedKey = ({ status, code, retry }) => assert.deepEqual([status, code, retry], [401, 'invalid_api_key', 'false']);

test('a revoked key is refused from the next request on, and its stream under way ends well and is billed', async () => {
  const tenant = await world.tenant('revoke', LIMITS);
  world.gate.hold();
  const { status, body } = await headOf(tenant, { model: 'slow', stream: true });
  assert.equal(status, 200);
  const revoked = await revoke(tenant);
  assert.ok(revoked.revoked_at);
  const next = await refusal(await chat(world, tenant.key, { model: 'chat' }));
  isRefusedKey(next);
  assert.match(next.message, /revoked/);
  assert.equal((await refusal(await looking(tenant.key, '/v1/usage'))).status, 401);
  assert.equal((await refusal(await looking(tenant.key, '/v1/models'))).status, 401);

  world.gate.release();
  const text = await body;
  assert.match(text, /data: \[DONE\]\n\n$/);
  assert.equal(text.match(/"content":"\w/g).length, 3);
  const [call] = await tenant.settled(1);
  assert.deepEqual([call.state, call.truth, call.input, call.output, call.status], ['settled', 'reported', 9, 3, 200]);
});

/** A stream of which the first event is through, and no more. */
async function headOf(tenant, more) {
  world.provider.reset();
  const asked = chat(world, tenant.key, more);
  await world.reached(1);
  world.gate.pass(1);
  const response = await inTime('the stream has begun', asked);
  return { status: response.status, body: response.text() };
}

const looking = (key, path) => fetch(world.url + path, { headers: { authorization: `Bearer ${key}` } });

test('under load no call that is sent after a revocation is admitted, and every one sent before has its own answer', async () => {
  const tenant = await world.tenant('revoke-under-load', LIMITS);
  const other = await tenant.newKey();
  world.provider.reset();
  let revokedAt = Infinity;
  const seen = [];
  const client = async () => {
    for (let sent = 0; sent < 3;) {
      const before = revokedAt === Infinity;
      const status = await answers(tenant.key);
      seen.push({ before, status });
      if (!before) sent += 1;
    }
  };
  const clients = Promise.all(Array.from({ length: 16 }, client));
  await world.reached(50);
  await revoke(tenant);
  revokedAt = Date.now();
  await inTime('the clients have ended', clients);
  assert.deepEqual([...new Set(seen.filter(({ before }) => !before).map(({ status }) => status))], [401]);
  assert.ok(seen.every(({ status }) => status === 200 || status === 401));
  const admitted = seen.filter(({ status }) => status === 200).length;
  assert.equal((await tenant.settled(admitted)).length, world.provider.stats().requests);
  assert.equal(await answers(other.key), 200, "the tenant's other key works on");
});

test('a key with any character changed, cut off or added is refused, and no object is asked', async () => {
  const tenant = await world.tenant('forged', LIMITS);
  const { key } = tenant;
  const before = await tenant.metrics();
  const changed = (at) => key.slice(0, at) + (key[at] === 'x' ? 'y' : 'x') + key.slice(at + 1);
  const others = [key.slice(0, -1), `${key}0`, key.toUpperCase(), `tg_${key}`, 'tg___', 'sk-1234'];
  const forged = [...Array.from(key, (_, at) => changed(at)), ...others];
  for (const one of forged) isRefusedKey(await refusal(await chat(world, one, { model: 'chat' })));
  assert.deepEqual(await tenant.metrics(), before);
  assert.equal(await answers(key), 200);
});

test("a key opens its own tenant alone: under another's name it is refused, and nothing of one is counted for the other", async () => {
  const [one, other] = [await world.tenant('mine', LIMITS), await world.tenant('yours', LIMITS)];
  const swaps = [['_mine_', '_yours_'], [one.keyId, other.keyId], [`mine_${one.keyId}`, `yours_${other.keyId}`]];
  for (const stolen of swaps.map(([its, theirs]) => one.key.replace(its, theirs))) {
    assert.notEqual(stolen, one.key);
    isRefusedKey(await refusal(await chat(world, stolen, { model: 'chat' })));
  }
  assert.equal(await answers(one.key), 200);
  await one.settled(1);
  assert.deepEqual([(await one.usage()).tenant, (await one.usage()).limits.requests.used], ['mine', 1]);
  assert.deepEqual([(await other.usage()).tenant, (await other.usage()).limits.requests.used], ['yours', 0]);
  assert.equal(other.calls().length, 0);
});

test('a key is refused from its expiry on, and one without works on', async () => {
  const tenant = await world.tenant('expiry', LIMITS);
  const short = await tenant.newKey({ expires_at: '2999-01-01T00:00:00Z' });
  assert.equal(await answers(short.key), 200);
  const end = new Date(Date.now() + 1_000);
  await world.admin('PATCH', `/tenants/expiry/keys/${short.keyId}`, { expires_at: end.toISOString() });
  const refused = await eventually('the key expires', async () => {
    const response = await chat(world, short.key, { model: 'chat' });
    if (response.status === 200) return response.arrayBuffer().then(() => null);
    return refusal(response);
  });
  isRefusedKey(refused);
  assert.match(refused.message, /expired/);
  assert.ok(Date.now() >= end.getTime(), 'not before');
  assert.equal(await answers(tenant.key), 200);
});

test('a disabled tenant is refused with all its keys, and served again when enabled', async () => {
  const tenant = await world.tenant('disabled', LIMITS);
  const keys = [tenant.key, (await tenant.newKey()).key];
  await world.admin('PATCH', '/tenants/disabled', { enabled: false });
  for (const key of keys) {
    const { status, code, retry } = await refusal(await chat(world, key, { model: 'chat' }));
    assert.deepEqual([status, code, retry], [403, 'tenant_disabled', 'false']);
  }
  assert.equal(tenant.calls().length, 0);
  await world.admin('PATCH', '/tenants/disabled', { enabled: true });
  for (const key of keys) assert.equal(await answers(key), 200);
});

test('a key is taken from each of three headers, and never sent on to a provider', async () => {
  const tenant = await world.tenant('headers', LIMITS);
  world.provider.reset();
  const bearers = [{ authorization: `Bearer ${tenant.key}` }, { authorization: `bearer ${tenant.key}` }];
  for (const headers of [...bearers, { 'x-api-key': tenant.key }, { 'api-key': tenant.key }, { authorization: 'Basic eDp5', 'x-api-key': tenant.key }]) {
    assert.equal(await answers(null, headers), 200, Object.keys(headers)[0]);
  }
  assert.equal(world.provider.calls().length, 5);
  for (const { headers } of world.provider.calls()) assert.ok(!JSON.stringify(headers).includes('tg_'));
  const elsewhere = [{ authorization: tenant.key }, { authorization: `Basic ${tenant.key}` }, { cookie: `api-key=${tenant.key}` }];
  for (const headers of [{}, ...elsewhere]) {
    isRefusedKey(await refusal(await chat(world, null, { model: 'chat' }, headers)));
  }
});

test('no call reads D1: the counter stands still, and without the database calls are served, refused and shown all the same', async () => {
  const tenant = await world.tenant('no-database', LIMITS);
  const gone = await tenant.newKey();
  await revoke(tenant, gone.keyId);
  const { d1_reads: before } = await tenant.metrics();
  for (let call = 0; call < 5; call += 1) assert.equal(await answers(tenant.key), 200);
  assert.equal(await answers(gone.key), 401);
  assert.equal((await tenant.metrics()).d1_reads, before);

  const { d1Databases: _, migrations: __, ...worker } = await gatewayWorker();
  await world.restart({ worker });
  assert.equal(await answers(tenant.key), 200);
  assert.equal(await answers(gone.key), 401);
  assert.equal((await looking(tenant.key, '/v1/models')).status, 200);
  await tenant.settled(6);
  assert.equal((await tenant.usage()).limits.requests.used, 6);
  await assert.rejects(tenant.metrics(), /503 .*REGISTRY/, 'the admin API says what is missing');
  await world.restart();
});

test('keys outlive the rotation of their signing secret for as long as the old one is kept beside the new', async () => {
  const tenant = await world.tenant('rotation', LIMITS);
  const rotated = { ...SECRETS, API_KEYS_SECRET: 'the next signing secret of the tests' };
  await world.restart({ secrets: { ...rotated, API_KEYS_SECRET_PREVIOUS: SECRETS.API_KEYS_SECRET } });
  assert.equal(await answers(tenant.key), 200);
  const young = await tenant.newKey();
  assert.equal(await answers(young.key), 200);

  await world.restart({ secrets: rotated });
  isRefusedKey(await refusal(await chat(world, tenant.key, { model: 'chat' })));
  assert.equal(await answers(young.key), 200);

  await world.restart();
  assert.equal(await answers(tenant.key), 200);
  isRefusedKey(await refusal(await chat(world, young.key, { model: 'chat' })));
});
