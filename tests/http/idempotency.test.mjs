// Idempotency-Key: one provider call and one bill for each name, whoever sends it again while the call runs or later.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { HELLO, events, eventually, inTime, refusal, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 60_000 };
const MANY = 50;
const CHAT = '/v1/chat/completions';
const LIMITS = [{ name: 'calls', what: 'requests', window: 'lifetime', max: 3 }, { name: 'at-once', what: 'concurrency', max: 1 }];
let world;

before(async () => {
  world = await startWorld();
  await world.catalog({
    plain: 'c10', late: 'c10-l300', stream: 'c40-d10', long: 'c150-d20', patient: 'c80-d50', wide: 'c1500-s7500000',
    flaky: 'failonce500', 'failing-late': 'fail500-l300', 'refusing-late': 'fail400-l300', cut: 'c10-d20-cut4',
    large: 'c10-s3000000', huge: 'c10-s10000000', embed: 'embed', 'embed-late': 'embed-l300',
  });
});
after(() => world.stop());

const named = (name) => ({ headers: { 'idempotency-key': name } });
const rowsOf = async (...ids) => (await world.ledger()).filter((row) => ids.includes(row.call));
const bytesOf = async (response) => Buffer.from(await response.arrayBuffer());
const original = (response) => response.headers.get('x-tollgate-original-request-id');
const begun = (count) => inTime(world.provider.until((calls) => calls.length >= count), 'the provider is called');

/** Sends `body` under `name`: { status, id, original, replayed, type, bytes }. */
async function send(tenant, name, body, path = CHAT) {
  const response = await inTime(tenant.post(path, body, named(name)), 'it is answered');
  const bytes = await inTime(bytesOf(response), 'the answer ends');
  const header = (key) => response.headers.get(key);
  return {
    response, bytes, text: bytes.toString(), status: response.status, id: header('x-request-id'), type: header('content-type'),
    original: original(response), replayed: header('idempotent-replayed'),
  };
}

const chatBody = (model, more = {}) => ({ model, messages: HELLO, ...more });

for (const [what, body, path] of [
  ['whole answers', chatBody('late')],
  ['streams', chatBody('stream', { stream: true })],
  ['embeddings', { model: 'embed-late', input: 'Hello!' }, '/v1/embeddings'],
]) {
  test(`${MANY} requests of one name at once are one provider call, one bill and one answer: ${what}`, TIMEOUT, async () => {
    const tenant = await world.tenant({ limits: LIMITS });
    world.provider.reset();
    const name = randomUUID();
    const answers = await Promise.all(Array.from({ length: MANY }, () => send(tenant, name, body, path)));
    assert.equal(world.provider.calls().length, 1);
    const [leader, ...others] = answers.toSorted((one, other) => Number(one.replayed ?? 0) - Number(other.replayed ?? 0) || (one.replayed ? 1 : -1));
    assert.equal(leader.replayed, null);
    assert.equal(leader.status, 200);
    assert.ok(leader.bytes.length > 100);
    for (const one of others) {
      assert.deepEqual([one.status, one.type, one.replayed, one.original], [200, leader.type, 'true', leader.id]);
      assert.ok(one.bytes.equals(leader.bytes), 'the same bytes');
    }
    assert.equal(new Set(answers.map(({ id }) => id)).size, MANY, 'each has its own request id');
    const row = await world.settled(leader.id);
    assert.equal(row.truth, 'reported');
    assert.deepEqual((await rowsOf(...answers.map(({ id }) => id))).map(({ call }) => call), [leader.id]);
    assert.deepEqual([(await tenant.limit('calls')).used, (await tenant.limit('at-once')).held], [1, 0]);
    const later = await send(tenant, name, body, path);
    assert.deepEqual([later.status, later.replayed, later.original], [200, 'true', leader.id]);
    assert.ok(later.bytes.equals(leader.bytes));
    assert.equal(world.provider.calls().length, 1);
  });
}

/** Opens a stream as a leader and reads `count` bytes of it: { id, read so far, rest(), leave() }. */
async function lead(tenant, name, model, count) {
  const leaving = new AbortController();
  const response = await inTime(tenant.post(CHAT, chatBody(model, { stream: true }), { ...named(name), signal: leaving.signal }), 'the stream begins');
  assert.equal(response.status, 200);
  const reader = response.body.getReader();
  const parts = [];
  const size = () => parts.reduce((sum, part) => sum + part.length, 0);
  const read = async () => {
    const { value, done } = await inTime(reader.read(), 'more of the stream comes');
    if (!done) parts.push(value);
    return !done;
  };
  while (size() < count && (await read()));
  const rest = async () => {
    while (await read());
    return Buffer.concat(parts);
  };
  return { id: response.headers.get('x-request-id'), rest, leave: () => leaving.abort() };
}

test('who comes amid a stream gets all of it from its first byte on, while it runs', TIMEOUT, async () => {
  const tenant = await world.tenant();
  world.provider.reset();
  const name = randomUUID();
  const leader = await lead(tenant, name, 'long', 2_000);
  const followers = await Promise.all([1, 2, 3].map(() => lead(tenant, name, 'long', 2_000)));
  assert.ok(!world.provider.calls()[0].completed, 'the provider has not come to its end');
  const whole = await leader.rest();
  for (const follower of followers) assert.ok((await follower.rest()).equals(whole));
  assert.equal(events(whole.toString()).at(-1).data, '[DONE]');
  assert.equal(world.provider.calls().length, 1);
});

test('a leader whose client does not read holds no follower up', TIMEOUT, async () => {
  const tenant = await world.tenant();
  world.provider.reset();
  const name = randomUUID();
  const body = chatBody('wide', { stream: true });
  const leader = await tenant.post(CHAT, body, named(name));
  const follower = await send(tenant, name, body);
  assert.equal(events(follower.text).at(-1).data, '[DONE]');
  assert.ok(follower.bytes.length > 7_500_000);
  assert.ok(follower.bytes.equals(await bytesOf(leader)));
});

test('the client of a stream leaves: the retry gets all of it, and there is one call and one bill', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: LIMITS });
  world.provider.reset();
  const name = randomUUID();
  const leader = await lead(tenant, name, 'patient', 1_000);
  leader.leave();
  const retry = await send(tenant, name, chatBody('patient', { stream: true }));
  assert.deepEqual([retry.status, retry.original], [200, leader.id]);
  assert.equal(events(retry.text).at(-1).data, '[DONE]');
  const row = await world.settled(leader.id);
  assert.deepEqual([row.output, row.truth], [80, 'reported']);
  assert.deepEqual(world.provider.calls().map(({ completed, aborted }) => [completed, aborted]), [[true, false]]);
  assert.equal((await tenant.limit('calls')).used, 1);
  assert.ok((await send(tenant, name, chatBody('patient', { stream: true }))).bytes.equals(retry.bytes));
});

test('the client of a whole answer leaves: the retry gets it', TIMEOUT, async () => {
  const tenant = await world.tenant();
  world.provider.reset();
  const leaving = new AbortController();
  const asked = tenant.post(CHAT, chatBody('late'), { ...named('gone'), signal: leaving.signal });
  await begun(1);
  leaving.abort();
  await assert.rejects(asked, { name: 'AbortError' });
  const retry = await send(tenant, 'gone', chatBody('late'));
  assert.deepEqual([retry.status, retry.replayed], [200, 'true']);
  assert.equal(world.provider.calls().length, 1);
});

test('another body, or another endpoint, is refused under the same name, while it runs and later', TIMEOUT, async () => {
  const tenant = await world.tenant();
  world.provider.reset();
  const running = send(tenant, 'one', chatBody('late'));
  await begun(1);
  const others = [[chatBody('late', { n: 1 })], [chatBody('late', { stream: true })], [{ model: 'embed', input: 'Hello!' }, '/v1/embeddings']];
  for (const state of ['running', 'ended']) {
    const before = await tenant.footprint();
    for (const [body, path] of others) {
      const { response, bytes } = await send(tenant, 'one', body, path);
      const answer = new Response(bytes, { status: response.status, headers: response.headers });
      await refusal(answer, 422, { type: 'invalid_request_error', code: 'idempotency_key_conflict', message: /new Idempotency-Key/ });
      assert.equal(response.headers.get('x-should-retry'), 'false', state);
    }
    if (state === 'ended') assert.deepEqual(await tenant.footprint(), before, 'a refusal changes nothing');
    assert.equal((await running).status, 200);
  }
  assert.equal(world.provider.calls().length, 1);
});

test('a name belongs to the API key that sent it, and a key that was revoked gets nothing under it', TIMEOUT, async () => {
  const tenant = await world.tenant();
  const { key: second, id } = (await world.admin('POST', `/tenants/${tenant.id}/keys`, { name: 'second' })).body;
  const other = Object.assign(Object.create(Object.getPrototypeOf(tenant)), tenant, { key: second });
  world.provider.reset();
  const [mine, theirs] = [await send(tenant, 'shared', chatBody('plain')), await send(other, 'shared', chatBody('plain', { n: 2 }))];
  assert.deepEqual([mine.replayed, theirs.replayed, theirs.status], [null, null, 200]);
  assert.equal(world.provider.calls().length, 2);
  await world.admin('DELETE', `/tenants/${tenant.id}/keys/${id}`);
  assert.equal((await send(other, 'shared', chatBody('plain', { n: 2 }))).status, 401);
  assert.equal((await send(tenant, 'shared', chatBody('plain'))).replayed, 'true');
});

test('a call that fails frees its name: who waited is told so, and the next is made anew', TIMEOUT, async () => {
  const tenant = await world.tenant();
  for (const [model, status, code] of [['failing-late', 500, 'upstream_error'], ['refusing-late', 400, null]]) {
    world.provider.reset();
    const first = send(tenant, model, chatBody(model));
    await begun(1);
    const waited = await Promise.all([1, 2, 3].map(() => send(tenant, model, chatBody(model))));
    const leader = await first;
    assert.deepEqual([leader.status, JSON.parse(leader.text).error.code], [status, code]);
    assert.equal((await world.settled(leader.id)).cost, 0);
    const once = waited.filter(({ original: of }) => of === leader.id);
    assert.ok(once.length > 0, 'somebody came while it ran');
    for (const one of once) assert.deepEqual([one.status, one.replayed, one.text], [status, 'true', leader.text]);
    const calls = world.provider.calls().length;
    assert.equal((await send(tenant, model, chatBody(model, { n: 1 }))).replayed, null, 'the name is free, for another body too');
    assert.equal(world.provider.calls().length, calls + 1);
  }
  world.provider.reset();
  assert.equal((await send(tenant, 'flaky', chatBody('flaky'))).status, 500);
  assert.equal((await send(tenant, 'flaky', chatBody('flaky'))).status, 200);
  assert.equal((await send(tenant, 'flaky', chatBody('flaky'))).replayed, 'true');
});

test('a stream that the provider cuts was billed: it is replayed as it is, with its error', TIMEOUT, async () => {
  const tenant = await world.tenant();
  world.provider.reset();
  const leader = await send(tenant, 'cut', chatBody('cut', { stream: true }));
  assert.equal(events(leader.text).at(-1).event, 'error');
  const again = await send(tenant, 'cut', chatBody('cut', { stream: true }));
  assert.deepEqual([again.status, again.replayed, again.text], [200, 'true', leader.text]);
  assert.equal((await world.settled(leader.id)).output, 4);
  assert.equal(world.provider.calls().length, 1);
});

test('a large answer is replayed whole; one too large to keep is never made and billed again', TIMEOUT, async () => {
  const tenant = await world.tenant();
  world.provider.reset();
  const large = await send(tenant, 'large', chatBody('large'));
  assert.ok(large.bytes.length > 3_000_000);
  assert.ok((await send(tenant, 'large', chatBody('large'))).bytes.equals(large.bytes));
  for (const [name, more] of [['huge', {}], ['huge-stream', { stream: true }]]) {
    const first = send(tenant, name, chatBody('huge', more));
    await begun(name === 'huge' ? 2 : 3);
    const asked = [await send(tenant, name, chatBody('huge', more))];
    assert.ok((await first).bytes.length > 9_000_000, 'its own client gets it all the same');
    await world.settled((await first).id);
    asked.push(await send(tenant, name, chatBody('huge', more)));
    for (const one of asked.filter(({ status }) => status !== 200)) {
      assert.deepEqual([one.status, JSON.parse(one.text).error.code], [409, 'idempotency_answer_not_kept']);
      assert.equal(one.response.headers.get('x-should-retry'), 'false');
    }
    assert.equal(asked.at(-1).status, 409);
  }
  assert.equal(world.provider.calls().length, 3);
});

test('a call that is refused leaves no name behind', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: [{ name: 'at-once', what: 'concurrency', max: 1 }] });
  const busy = await lead(tenant, 'busy', 'long', 100);
  const before = await tenant.footprint();
  for (const body of [chatBody('plain'), chatBody('plain', { n: 2 }), chatBody('nothing'), { model: 'plain' }]) {
    const refused = await send(tenant, 'refused', body);
    assert.ok(refused.status >= 400 && refused.status < 500 && refused.status !== 422, refused.text);
  }
  assert.deepEqual(await tenant.footprint(), before);
  assert.equal((await send(tenant, 'busy', chatBody('long', { stream: false }))).status, 422, 'a name in use is told first');
  await busy.rest();
  await world.settled(busy.id);
  const made = await send(tenant, 'refused', chatBody('plain'));
  assert.deepEqual([made.status, made.replayed], [200, null]);
});

test('a header that is no name is refused in words, and quotes do not make another name', TIMEOUT, async () => {
  const tenant = await world.tenant();
  world.provider.reset();
  for (const name of ['', '""', 'a b', 'a, b', 'x'.repeat(256), '"open', 'n\u00e9']) {
    for (const path of ['/v1/chat/completions', '/v1/embeddings']) {
      const response = await tenant.post(path, chatBody('plain'), named(name));
      await refusal(response, 400, { type: 'invalid_request_error', code: 'invalid_idempotency_key', message: /header Idempotency-Key/ });
    }
  }
  assert.equal(world.provider.calls().length, 0);
  const [bare, quoted] = [await send(tenant, 'abc', chatBody('plain')), await send(tenant, '"abc"', chatBody('plain'))];
  assert.deepEqual([bare.status, quoted.replayed, quoted.original], [200, 'true', bare.id]);
  assert.equal((await send(tenant, 'x'.repeat(255), chatBody('plain'))).status, 200);
});

test('a call without a name is what it was: two rows, no row of a name', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: LIMITS.slice(0, 1) });
  const before = await tenant.metrics();
  await world.settled(await tenant.chat({ model: 'plain' }));
  const middle = await tenant.metrics();
  await world.settled((await send(tenant, 'named', chatBody('plain'))).id);
  const last = await eventually(async () => {
    const metrics = await tenant.metrics();
    return metrics.rows_written >= middle.rows_written + 6 && metrics;
  }, 'the named call is written');
  const of = (one, other, what) => other[what] - one[what];
  // The first call arms the object's alarm, which is a row; a named one has its row, that row's index, its end and its answer besides.
  assert.ok(of(before, middle, 'rows_written') <= 3, `${of(before, middle, 'rows_written')} rows`);
  assert.equal(of(before, middle, 'object_requests'), 2);
  assert.equal(of(middle, last, 'rows_written'), 6);
  assert.equal(of(middle, last, 'object_requests'), 3);
});
