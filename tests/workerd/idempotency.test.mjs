// Named calls (Idempotency-Key) across what ends memory: an object's eviction, a restart of workerd, a crash amid a call.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bodyOf, eventually, inTime, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 120_000 };
const BODY = { model: 'chat' };
const STREAM = { model: 'slow', stream: true, max_tokens: 300 };
let world;
before(async () => {
  world = await startWorld({ models: { chat: 'c9-i9', large: 'c9-s1500000' }, gated: { slow: 'c50-i11' } });
});
after(() => world.stop());

/** Sends a call under a name; its response. */
function ask(tenant, name, body) {
  return inTime('it is answered', fetch(`${world.url}/v1/chat/completions`, {
    method: 'POST', body: bodyOf(body),
    headers: { authorization: `Bearer ${tenant.key}`, 'content-type': 'application/json', 'idempotency-key': name },
  }));
}

async function send(tenant, name, body) {
  const response = await ask(tenant, name, body);
  const { status, headers } = response;
  return { status, leader: headers.get('x-tollgate-original-request-id'), id: headers.get('x-request-id'), text: await response.text() };
}

const ended = (tenant, count) =>
  eventually(`${count} calls are settled`, () => tenant.calls().filter(({ state }) => state === 'settled').length === count);
const names = (tenant) => tenant.rows('SELECT * FROM names');
const parts = (tenant) => tenant.rows('SELECT at, part FROM answers');

test('an answer is replayed after its object was evicted and after workerd was started anew', TIMEOUT, async () => {
  const tenant = await world.tenant('keeper');
  const sent = [['one', BODY], ['two', { model: 'large' }], ['three', { ...BODY, stream: true }]];
  const answers = [];
  for (const [name, body] of sent) answers.push(await send(tenant, name, body));
  await ended(tenant, 3);
  assert.deepEqual([names(tenant).length, parts(tenant).length], [3, 5], 'the large one has three parts');
  for (const end of ['eviction', 'restart']) {
    if (end === 'eviction') await world.evict(tenant);
    else await world.restart();
    for (const [nth, [name, body]] of sent.entries()) {
      const again = await send(tenant, name, body);
      assert.deepEqual([again.status, again.leader], [200, answers[nth].id], `${name} after the ${end}`);
      assert.ok(again.text === answers[nth].text, 'the same bytes');
      assert.equal((await send(tenant, name, { ...body, n: 1 })).status, 422);
    }
  }
  assert.equal(world.provider.calls().length, 3);
  assert.equal(tenant.calls().length, 3);
});

test('an object that is evicted amid a call loses no byte of its answer, for the leader or for a follower', TIMEOUT, async () => {
  const tenant = await world.tenant('evicted');
  world.provider.reset();
  world.gate.hold();
  const leading = ask(tenant, 'amid', STREAM);
  await world.reached(1);
  const following = ask(tenant, 'amid', STREAM);
  world.gate.pass(10);
  const leader = await leading;
  await world.evict(tenant);
  world.gate.pass(10);
  await world.evict(tenant);
  world.gate.release();
  const [text, followed] = await Promise.all([leader.text(), following.then((response) => response.text())]);
  assert.ok(text.endsWith('data: [DONE]\n\n'));
  assert.ok(followed === text, `${followed.length} bytes of ${text.length}`);
  await ended(tenant, 1);
  await world.evict(tenant);
  const again = await send(tenant, 'amid', STREAM);
  assert.deepEqual([again.leader, again.text === text], [leader.headers.get('x-request-id'), true]);
  assert.equal(world.provider.calls().length, 1);
});

for (const whole of [false, true]) {
  test(`a leader that dies with its isolate is waited for no longer than its lease, then the retry is made anew (${whole ? 'whole' : 'stream'})`, TIMEOUT, async () => {
    const tenant = await world.tenant(`crashed-${whole}`, { lease: '2s' });
    const body = { ...STREAM, stream: !whole };
    world.provider.reset();
    world.gate.hold();
    const leading = ask(tenant, 'lost', body).then((response) => response.text()).catch((error) => error);
    await world.reached(1);
    const waiting = ask(tenant, 'lost', body).catch((error) => error);
    const { exited, workerdPid } = world.gateway;
    process.kill(workerdPid, 'SIGKILL');
    await inTime('workerd has ended', exited);
    assert.ok((await leading) instanceof Error && (await waiting) instanceof Error);
    await world.restart();
    world.gate.release();
    const answers = [];
    await eventually('the retry is answered', async () => {
      answers.push(await send(tenant, 'lost', body));
      return answers.at(-1).status === 200;
    });
    for (const { status, text } of answers.slice(0, -1)) {
      assert.deepEqual([status, JSON.parse(text).error.code], [503, 'idempotency_request_lost']);
    }
    const made = answers.at(-1);
    assert.equal(made.leader, null, 'it was made anew');
    assert.equal((await send(tenant, 'lost', body)).text, made.text);
    assert.equal(world.provider.calls().length, 2);
    const calls = await tenant.settled(2);
    assert.deepEqual(calls.map(({ state, call }) => [state, call === made.id]), [['expired', false], ['settled', true]]);
    assert.equal(names(tenant).length, 1);
  });
}

test('a leader that waits longer than its lease keeps it, and is followed to its end', TIMEOUT, async () => {
  const tenant = await world.tenant('silent', { lease: '1s' });
  world.provider.reset();
  world.gate.hold();
  const leading = ask(tenant, 'alive', { ...STREAM, stream: false });
  await world.reached(1);
  const following = send(tenant, 'alive', { ...STREAM, stream: false });
  // Its lease would be over three times.
  const first = await eventually('its row is written', () => tenant.calls()[0]?.lease_ends);
  await eventually('its lease is renewed', () => tenant.calls()[0].lease_ends >= first + 3_000);
  assert.equal(tenant.calls()[0].state, 'open');
  world.gate.release();
  const [leader, follower] = [await leading, await following];
  assert.deepEqual([follower.status, follower.text], [200, await leader.text()]);
  assert.equal(follower.leader, leader.headers.get('x-request-id'));
  assert.equal(world.provider.calls().length, 1);
  await ended(tenant, 1);
});
