// What an operator does about a bill that nobody can have meant: the list of calls shows it, a credit takes it back.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { eventually, refusal, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 60_000 };
const BUDGET = { limits: [{ name: 'daily', what: 'cost', per: 'tenant', window: 'day', max: '0.5' }] };
let world;

before(async () => {
  world = await startWorld();
  await world.catalog({ plain: 'i7-c10', absurd: 'i1000000-c10-u9000000', slow: 'c3-l8000' });
});
after(() => world.stop());

const debts = () => world.rows('SELECT limit_name, amount FROM debts');
const calls = (tenant, query = '') => world.admin('GET', `/tenants/${tenant.id}/calls${query}`);
const credit = (tenant, body) => world.admin('POST', `/tenants/${tenant.id}/credits`, { reason: 'The provider told of tokens that nobody sent.', ...body });
const evict = (tenant) => world.gateway.miniflare.unsafeEvictDurableObject('tollgate', 'TenantObject', { name: tenant.id });

/** A call that is answered, and settled: its row. */
async function ended(tenant, model) {
  const response = await tenant.chat({ model, max_tokens: 10 });
  assert.equal(response.status, 200, await response.clone().text());
  await response.text();
  return world.settled(response);
}

/** The operators' audit, as the registry has it on disk. */
async function audit(action) {
  const folder = join(world.state, 'v3/d1');
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.sqlite') && !name.endsWith('metadata.sqlite'));
  return files.flatMap((file) => {
    const database = new DatabaseSync(join(folder, file), { readOnly: true, timeout: 5_000 });
    try {
      return database.prepare('SELECT tenant, key, detail FROM audit WHERE action = ?').all(action);
    } finally {
      database.close();
    }
  });
}

function refused(answer, status, code, param, words) {
  const { error } = answer.body;
  assert.deepEqual([answer.status, error?.code, error?.param], [status, code, param], JSON.stringify(answer.body));
  assert.match(error.message, words);
}

test('an absurd bill fills the budget and owes the next days; a credit takes it all back, once', TIMEOUT, async () => {
  const tenant = await world.tenant(BUDGET);
  const usual = await ended(tenant, 'plain');
  const bill = await ended(tenant, 'absurd');
  const odd = bill.call;
  // A million tokens of input, and of nine million of output no more than can have come.
  assert.ok(bill.input === 1_000_000 && bill.output < 20 && bill.cost === 1_000_000_000 + bill.output * 2_000, JSON.stringify(bill));
  const dollars = (nano) => String(Number((nano / 1e9).toFixed(9)));
  const [whole, rest] = [bill.cost, bill.output * 2_000].map(dollars);
  await refusal(await tenant.chat({ model: 'plain', max_tokens: 10 }), 429, { code: 'project_spend_limit_exceeded' });
  assert.deepEqual((await debts()).map(({ amount }) => amount), [bill.cost + usual.cost - 500_000_000]);

  const list = await calls(tenant, '?truth=bounded,estimated');
  assert.deepEqual([list.status, list.body.object, list.body.has_more, list.body.data.length], [200, 'list', false, 1]);
  const [call] = list.body.data;
  const { id, model, endpoint, target, state, status, truth, input_tokens, output_tokens, billed } = call;
  assert.deepEqual([id, model, endpoint, target, state, status], [odd, 'absurd', 'chat', 'a/i1000000-c10-u9000000', 'settled', 200]);
  assert.deepEqual([truth, input_tokens, output_tokens, billed], ['bounded', 1_000_000, bill.output, whole]);
  assert.ok(Number(call.held) > 0 && Number(call.held) < 0.01 && !Number.isNaN(Date.parse(call.at)), JSON.stringify(call));
  assert.deepEqual([list.body.first_id, list.body.last_id], [call.place, call.place]);

  refused(await credit(tenant, { call: odd, amount: '1.01' }), 400, 'credit_too_large', 'amount', /was billed 1\.0000\d+ US dollars/);
  const given = await credit(tenant, { call: odd, amount: '1' });
  assert.equal(given.status, 201, JSON.stringify(given.body));
  const { reason, ...said } = given.body;
  assert.deepEqual(said, { object: 'credit', call: odd, amount: '1', billed: rest });
  refused(await credit(tenant, { call: odd }), 409, 'credited_before', 'call', /costs 0\.0000\d+ US dollars since/);
  assert.deepEqual((await audit('credit.create')).map(({ tenant: of, key, detail }) => [of, key, JSON.parse(detail)]),
    [[tenant.id, call.key, { call: odd, amount: '1', billed: rest, reason }]]);

  const seen = async () => {
    const { limits, periods } = await tenant.usage();
    return [limits[0].used, limits[0].debt, ...Object.values(periods).map(({ total }) => total.cost)];
  };
  const left = dollars(usual.cost + bill.output * 2_000);
  const after = [left, undefined, ...Array(5).fill(left)];
  assert.deepEqual([await seen(), await debts()], [after, []]);
  await evict(tenant);
  assert.deepEqual(await seen(), after, 'an object that starts anew knows it');
  await ended(tenant, 'plain');
  const shown = (await calls(tenant)).body.data;
  assert.deepEqual(shown.map(({ truth: of }) => of), ['reported', 'credited', 'reported'], 'the newest first');
  assert.equal(shown[2].id, usual.call);
});

test('calls are listed a page at a time, and one that is under way has no bill to credit', TIMEOUT, async () => {
  const tenant = await world.tenant();
  const all = [];
  for (let made = 0; made < 5; made++) all.unshift((await ended(tenant, 'plain')).call);
  const seen = [];
  let before = '';
  for (;;) {
    const { body } = await calls(tenant, `?limit=2${before}`);
    seen.push(...body.data.map(({ id }) => id));
    assert.ok(body.data.length <= 2);
    if (!body.has_more) break;
    before = `&before=${body.last_id}`;
  }
  assert.deepEqual(seen, all);

  const leaving = new AbortController();
  const slow = tenant.chat({ model: 'slow', stream: true }, { signal: leaving.signal }).catch(() => null);
  const open = await eventually(async () => (await calls(tenant, '?limit=1')).body.data.find(({ state }) => state === 'open'), 'a call is under way');
  assert.deepEqual([open.truth, open.billed, open.target, open.status], [null, null, null, null]);
  refused(await credit(tenant, { call: open.id }), 409, 'call_under_way', 'call', /has no bill yet/);
  leaving.abort();
  await slow;
  // Its place is another way to find it, and only its own.
  const place = (await calls(tenant)).body.data.at(-1).place;
  refused(await credit(tenant, { call: all[0], place }), 404, 'call_not_found', 'call', /at that place/);
  const given = await credit(tenant, { call: all.at(-1), place });
  assert.deepEqual([given.status, given.body.amount, given.body.billed], [201, '0.000027', '0']);
});

test('what is wrong with a question or a credit is said by name, and nothing is changed', TIMEOUT, async () => {
  const tenant = await world.tenant();
  const { call } = await ended(tenant, 'plain');
  const before = await tenant.footprint();
  for (const [query, param, words] of [
    ['?truth=odd', 'truth', /some of reported, counted, estimated, bounded, ceiling, credited/], ['?limit=1001', 'limit', /from 1 to 1000/],
    ['?before=last', 'before', /a whole number/], ['?after=1', 'after', /known are truth, limit, before/],
  ]) refused(await calls(tenant, query), 400, 'invalid_parameter', param, words);
  for (const [body, param, words] of [
    [{ call: '' }, 'call', /1 to 200 bytes/], [{}, 'call', /is missing/], [{ call, reason: ' ' }, 'reason', /1 to 1000 characters/],
    [{ call, amount: '-1' }, 'amount', /US dollars/], [{ call, amount: '0' }, 'amount', /more than 0/], [{ call, place: 'x' }, 'place', /list of calls/],
    [{ call, tenant: 'x' }, 'tenant', /is not a field here/],
  ]) refused(await credit(tenant, body), 400, 'invalid_document', param, words);
  refused(await credit(tenant, { call: 'no-such-call' }), 404, 'call_not_found', 'call', /has no call "no-such-call"/);
  refused(await credit({ id: 'nobody' }, { call }), 404, 'tenant_not_found', null, /no tenant "nobody"/);
  refused(await calls({ id: 'nobody' }), 404, 'tenant_not_found', null, /no tenant "nobody"/);
  assert.equal((await world.admin('DELETE', `/tenants/${tenant.id}/calls`)).status, 405);
  assert.deepEqual(await tenant.footprint(), before);
});
