// Every answer to a call tells the limits that cover it, and tells the truth: what GET /v1/usage says at the same moment.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { parseList } from 'structured-headers';
import { bodyOf, chat, inTime, startWorld } from './support.mjs';

const LIMITS = [
  { name: 'rpm', what: 'requests', per: 'key', window: '60s', max: 600 },
  { name: 'tpm', what: 'tokens', per: 'tenant', window: '5m', max: 200_000 },
  { name: 'output', what: 'output_tokens', per: 'tenant', window: '1h', max: 150_000 },
  { name: 'daily', what: 'requests', per: 'tenant', window: 'day', max: 5_000 },
  { name: 'input', what: 'input_tokens', per: 'tenant', window: 'month', max: 9_000_000 },
  { name: 'ever', what: 'requests', per: 'tenant', window: 'lifetime', max: 900_000 },
  { name: 'busy', what: 'concurrency', per: 'tenant', max: 8 },
  { name: 'weekly', what: 'cost', per: 'tenant', window: 'week', max: '0.50' },
  { name: 'monthly', what: 'cost', per: 'tenant', window: 'month', max: '25.00' },
  { name: 'others', what: 'requests', per: 'tenant', models: ['unheard-of'], window: '60s', max: 3 },
];
const UNITS = { requests: 'requests', tokens: 'tokens', input_tokens: 'tokens', output_tokens: 'tokens', concurrency: 'concurrent-requests' };
const SECONDS = { '60s': 60, '300s': 300, '3600s': 3_600, day: 86_400, lifetime: undefined, undefined };

let world;
before(async () => {
  world = await startWorld({
    models: { good: 'c5', embed: 'embed', refusing: 'fail400', failing: 'fail500', limiting: 'fail429' }, gated: { gated: 'c5' },
  });
});
after(() => world.stop());

/** A structured field's list as { name: parameters }; it throws where the field is not well formed. */
function field(response, name) {
  const list = parseList(response.headers.get(name) ?? '').map(([item, parameters]) => [item, Object.fromEntries(parameters)]);
  assert.equal(new Set(list.map(([item]) => item)).size, list.length, `${name} names each limit once`);
  return Object.fromEntries(list);
}

/** The `x-tollgate-budget` headers by their last word; the name is under `name`. */
function budget(response) {
  const found = [...response.headers].filter(([name]) => name.startsWith('x-tollgate-budget'));
  return Object.fromEntries(found.map(([name, value]) => [name.slice('x-tollgate-budget-'.length) || 'name', value]));
}

function length({ window, resets_at: end }) {
  if (window !== 'month') return SECONDS[window];
  const start = new Date(end);
  return (new Date(end) - start.setUTCMonth(start.getUTCMonth() - 1)) / 1_000;
}

/** Checks what an answer tells against `limits` of the usage endpoint, which were asked while nothing changed. */
function checkTold(response, limits, covered = (limit) => limit.name !== 'others') {
  const rates = Object.values(limits).filter((limit) => limit.what !== 'cost' && covered(limit));
  const policy = field(response, 'ratelimit-policy');
  const state = field(response, 'ratelimit');
  assert.deepEqual(Object.keys(policy).sort(), rates.map(({ name }) => name).sort());
  assert.deepEqual(Object.keys(state), Object.keys(policy), 'both in one order');
  for (const limit of rates) {
    const { q, w, qu } = policy[limit.name];
    assert.deepEqual([q, w, qu], [limit.max, length(limit), UNITS[limit.what]], limit.name);
    const { r, t } = state[limit.name];
    assert.equal(r, limit.remaining, limit.name);
    assert.equal(t === undefined, limit.resets_at === null, limit.name);
    assert.ok(t === undefined || (t > 0 && t <= w + 1), `${limit.name} resets in ${t}`);
  }
  const room = ({ remaining, max }) => Number(remaining) / Number(max);
  assert.deepEqual(Object.keys(state).map((name) => room(limits[name])), rates.map(room).sort((a, b) => a - b), 'the tightest first');
  for (const what of ['requests', 'tokens']) {
    const [tightest] = rates.filter((limit) => limit.what === what).sort((a, b) => room(a) - room(b));
    assert.equal(response.headers.get(`x-ratelimit-limit-${what}`), String(tightest.max));
    assert.equal(response.headers.get(`x-ratelimit-remaining-${what}`), String(tightest.remaining));
    assert.equal(response.headers.has(`x-ratelimit-reset-${what}`), tightest.resets_at !== null);
  }
  checkBudget(response, limits.weekly);
}

function checkBudget(response, { name, max, used, held, remaining, resets_at: reset }) {
  const told = { name, limit: String(max), used: String(used), held: String(held), remaining: String(remaining) };
  assert.deepEqual(budget(response), reset === null ? told : { ...told, reset });
}

/** `limits` as they stand once one more call is under way that holds so much. */
function withCall(limits, response) {
  const state = field(response, 'ratelimit');
  const after = structuredClone(limits);
  for (const limit of Object.values(after)) {
    if (limit.name === 'others') continue;
    if (['requests', 'concurrency'].includes(limit.what)) limit.remaining -= 1;
    else if (limit.what !== 'cost') {
      assert.ok(state[limit.name].r <= limit.remaining, `${limit.name} is not more than before`);
      limit.remaining = state[limit.name].r;
    }
    limit.resets_at ??= limit.what === 'requests' && limit.window !== 'lifetime' ? 'now' : null;
  }
  const { held, remaining } = budget(response);
  assert.ok(Number(held) > 0 && Math.abs(Number(after.weekly.used) + Number(held) + Number(remaining) - 0.5) < 1e-9);
  Object.assign(after.weekly, { held, remaining });
  return after;
}

const post = (path, key, body) => inTime(path, fetch(`${world.url}${path}`, {
  method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body }));

const ANSWERS = {
  'a whole answer': [200, (key) => chat(world, key, { model: 'good' })],
  'a stream': [200, (key) => chat(world, key, { model: 'good', stream: true })],
  'embeddings': [200, (key) => post('/v1/embeddings', key, JSON.stringify({ model: 'embed', input: 'hi' }))],
  'the provider\'s own refusal': [400, (key) => chat(world, key, { model: 'refusing' })],
  'a provider\'s failure': [500, (key) => chat(world, key, { model: 'failing' })],
  'a provider\'s rate limit': [429, (key) => chat(world, key, { model: 'limiting' })],
};
for (const [what, [status, ask]] of Object.entries(ANSWERS)) {
  test(`${what} tells every limit as it stood just after the call was admitted`, async () => {
    const tenant = await world.tenant(`told-${Object.keys(ANSWERS).indexOf(what)}`, { limits: LIMITS });
    for (let calls = 1; calls <= 2; calls += 1) {
      const { limits } = await tenant.usage();
      const response = await ask(tenant.key);
      assert.equal(response.status, status);
      await response.text();
      checkTold(response, withCall(limits, response));
      await tenant.settled(calls);
    }
  });
}

test('a stream tells exactly what the usage endpoint tells while it is under way', async () => {
  const tenant = await world.tenant('under-way', { limits: LIMITS });
  world.gate.hold();
  const asked = chat(world, tenant.key, { model: 'gated', stream: true });
  world.gate.pass(1);
  const response = await inTime('the head of the stream', asked);
  const { limits } = await tenant.usage();
  assert.equal(limits.busy.held, 1);
  assert.ok(Number(limits.weekly.held) > 0 && limits.tpm.held > 0);
  checkTold(response, limits);
  world.gate.release();
  await response.text();
});

test('the usage endpoint and the list of models tell every limit of the key, whatever model it covers', async () => {
  const tenant = await world.tenant('looks', { limits: LIMITS });
  await (await chat(world, tenant.key, { model: 'good' })).text();
  await tenant.settled(1);
  const { limits } = await tenant.usage();
  for (const path of ['/v1/usage', '/v1/models', '/v1/models/good', '/v1/models/nothing']) {
    const response = await fetch(`${world.url}${path}`, { headers: { authorization: `Bearer ${tenant.key}` } });
    assert.equal(response.status, path.endsWith('nothing') ? 404 : 200, path);
    checkTold(response, limits, () => true);
  }
});

const REFUSING = {
  rate: { name: 'rate', what: 'requests', window: '1h', max: 1 },
  exhausted: { name: 'quota', what: 'requests', window: 'month', max: 1 },
  never: { name: 'small', what: 'output_tokens', window: '60s', max: 10 },
};
for (const [cause, limit] of Object.entries(REFUSING)) {
  test(`a refusal by a limit that is ${cause} tells every limit as it stands`, async () => {
    const tenant = await world.tenant(`no-${cause}`, { limits: [...LIMITS, limit], on_shortfall: 'reject' });
    const small = { model: 'good', max_tokens: 5 };
    assert.equal((await chat(world, tenant.key, small)).status, 200);
    await tenant.settled(1);
    const { limits } = await tenant.usage();
    const response = await chat(world, tenant.key, cause === 'never' ? { model: 'good' } : small);
    const { error } = await response.json();
    assert.deepEqual([response.status, error.limits.map((one) => one.cause)], [429, [cause]]);
    checkTold(response, limits);
    const [{ max, used, held }] = error.limits;
    assert.deepEqual([max, used, held], [limits[limit.name].max, limits[limit.name].used, limits[limit.name].held]);
  });
}

test('a refusal because of calls under way tells what they hold', async () => {
  for (const [id, limit, cause] of [
    ['no-busy', { name: 'one', what: 'concurrency', max: 1 }, 'busy'],
    ['no-reserved', { name: 'held', what: 'output_tokens', window: 'day', max: 21 }, 'reserved'],
  ]) {
    const tenant = await world.tenant(id, { limits: [...LIMITS, limit] });
    world.provider.reset();
    world.gate.hold();
    const first = chat(world, tenant.key, { model: 'gated' });
    await world.reached(1);
    const { limits } = await tenant.usage();
    const response = await chat(world, tenant.key, { model: 'gated' });
    const { error } = await response.json();
    assert.deepEqual([response.status, error.limits.map((one) => one.cause)], [429, [cause]]);
    checkTold(response, limits);
    world.gate.release();
    assert.equal((await first).status, 200);
  }
});

test('where no limit is on money the tightest calendar quota is told, and a lifetime has no reset', async () => {
  const key = async (id, limits) => (await world.tenant(id, { limits })).key;
  const quotas = [
    { name: 'rps', what: 'requests', window: '60s', max: 2 },
    { name: 'daily', what: 'tokens', window: 'day', max: 1_000 },
    { name: 'monthly', what: 'requests', window: 'month', max: 1_000 },
  ];
  const quota = budget(await chat(world, await key('quota', quotas), { model: 'good' }));
  assert.deepEqual([quota.name, quota.limit], ['daily', '1000']);
  assert.match(quota.reset, /^\d{4}-\d\d-\d\dT00:00:00\.000Z$/);
  const ever = await chat(world, await key('ever', [{ name: 'ever', what: 'cost', window: 'lifetime', max: '1' }]), { model: 'good' });
  assert.deepEqual(Object.keys(budget(ever)).sort(), ['held', 'limit', 'name', 'remaining', 'used']);
  assert.equal(ever.headers.has('ratelimit'), false);
  const free = await chat(world, await key('free', []), { model: 'good' });
  assert.deepEqual([...free.headers.keys()].filter((name) => /ratelimit|budget/.test(name)), []);
});

test('what is refused before the limits are asked tells none of them', async () => {
  const tenant = await world.tenant('not-asked', { limits: LIMITS });
  for (const [status, response] of [
    [401, await chat(world, 'tg_not-asked_x')],
    [400, await post('/v1/chat/completions', tenant.key, '{')],
    [404, await post('/v1/chat/completions', tenant.key, bodyOf({ model: 'nothing' }))],
  ]) {
    assert.equal(response.status, status);
    assert.deepEqual([...response.headers.keys()].filter((name) => /ratelimit|budget/.test(name)), [], String(status));
  }
});
