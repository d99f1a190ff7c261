// Streams that do not come to their end: the client leaves, the provider stalls, cuts or fails. What was used is billed, once, and what was
// held comes back.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { HELLO, contentOf, events, eventually, inTime, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 40_000 };
const ONE_AT_A_TIME = [{ name: 'at-once', what: 'concurrency', max: 1 }, { name: 'budget', what: 'cost', window: 'lifetime', max: '1' }];
const WORDS = 'the quick brown fox jumps over the lazy dog while ';
let world;

before(async () => {
  world = await startWorld();
  await world.catalog({
    plain: 'c10', long: 'c400-d10', late: 'c90-d10-l400', 'late-whole': 'c10-l400', stalled: 'c10-stall4', silent: 'c10-stall0', huge: 'c4000-s16000000',
    patient: 'c70-d25', cut: 'c10-d20-cut4', failing: 'c10-d20-err4', endless: 'c10-nodone', untold: 'c10-nousage',
    'untold-tool': 'tool-nousage', 'untold-utf8': 'c24-utf8-nousage', 'untold-cut': 'c10-d20-cut4-nousage',
    wordy: 'c10-s4000-nousage', denied: 'c40-u0', naught: 'c40-i0-u0', scant: 'c80-u9', spare: 'c80-u10', lavish: 'c10-u900', nothing: 'c0-i0-u0',
  });
});

after(() => world.stop());

const pieces = (text) => events(text).filter(({ data }) => data.choices?.[0]?.delta?.content).length;

/** Opens a stream and reads it until `count` pieces of content have come: { response, text, leave(), rest() }. */
async function readPieces(tenant, body, count) {
  const leaving = new AbortController();
  const response = await inTime(tenant.chat({ stream: true, ...body }, { signal: leaving.signal }), `${body.model} is answered`);
  assert.equal(response.status, 200);
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  const whole = () => text.slice(0, text.lastIndexOf('\n\n') + 2);
  while (pieces(whole()) < count) {
    const { value, done } = await inTime(reader.read(), `piece ${count} of ${body.model} comes; there are ${pieces(whole())}`);
    assert.ok(!done, `the stream ended with ${text}`);
    text += decoder.decode(value, { stream: true });
  }
  return { response, got: pieces(whole()), leave: () => leaving.abort() };
}

const stopped = (id) => inTime(world.provider.until((calls) => calls.find((call) => call.call === id && call.aborted)), `the provider's stream of ${id} is stopped`);
const begun = (model) => inTime(world.provider.until((calls) => calls.findLast((call) => call.body?.model === model)), `the provider hears of ${model}`);

/** Checks that nothing is held any more, that usage shows the row and that the one slot is free. */
async function released(tenant, row) {
  const { limits, periods } = await tenant.usage();
  const [slots, budget] = limits;
  assert.deepEqual([slots.held, budget.held], [0, '0']);
  const { total } = periods.lifetime;
  assert.deepEqual([total.calls, total.input_tokens, total.output_tokens], [1, row.input, row.output]);
  const cost = row.input * 1_000 + row.output * 2_000;
  // A call that is billed its most is billed the dearest kind of each token.
  assert.ok(row.truth === 'ceiling' ? row.cost >= cost : row.cost === cost, `${row.cost} for ${cost}, ${row.truth}`);
  assert.ok(row.cost > 0, 'it is not for nothing');
  const next = await tenant.chat({ model: 'plain' });
  assert.equal(next.status, 200, await next.text());
}

test('each piece of a stream is with the client before the provider sends the next', TIMEOUT, async () => {
  const tenant = await world.tenant({ lease: '1s' });
  // The provider sends four pieces and then nothing: they come all the same.
  const stream = await readPieces(tenant, { model: 'stalled' }, 4);
  assert.equal(stream.got, 4);
  stream.leave();
});

for (const point of [1, 5, 40]) {
  test(`a client that leaves after ${point} pieces stops the provider and pays for what came, and its slot is free`, TIMEOUT, async () => {
    const tenant = await world.tenant({ limits: ONE_AT_A_TIME });
    const stream = await readPieces(tenant, { model: 'long' }, point);
    assert.equal((await tenant.chat({ model: 'plain' })).status, 429, 'the slot is taken');
    stream.leave();
    const call = await stopped(stream.response.headers.get('x-request-id'));
    const row = await world.settled(stream.response);
    assert.equal(row.truth, 'counted');
    assert.ok(row.output >= stream.got && row.output <= call.chunks, `${stream.got} <= ${row.output} <= ${call.chunks}`);
    assert.ok(call.chunks < 400, 'it was stopped long before its end');
    await released(tenant, row);
  });
}

test('a client that leaves before anything is said stops the provider at its first words, and pays for what came', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: ONE_AT_A_TIME });
  const leaving = new AbortController();
  const asked = tenant.chat({ model: 'late', stream: true }, { signal: leaving.signal });
  const { call: id } = await begun('c90-d10-l400');
  leaving.abort();
  await assert.rejects(asked, { name: 'AbortError' });
  // Until then it may be that the model thinks.
  const call = await stopped(id);
  const row = await world.settled(id);
  assert.ok(row.truth === 'counted' && row.output >= 1 && row.output <= call.chunks && call.chunks < 90, `${row.truth}: ${row.output} of ${call.chunks}`);
  await released(tenant, row);
});

test('a client that leaves while a whole answer is made pays for that answer, exactly', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: ONE_AT_A_TIME });
  const leaving = new AbortController();
  const asked = tenant.chat({ model: 'late-whole' }, { signal: leaving.signal });
  const { call: id } = await begun('c10-l400');
  leaving.abort();
  await assert.rejects(asked, { name: 'AbortError' });
  const row = await world.settled(id);
  const [call] = world.seen(id);
  assert.deepEqual([row.truth, row.input, row.output], ['reported', call.prompt_tokens, call.completion_tokens]);
  await released(tenant, row);
});

test('a client that does not read holds the provider back; when it leaves, what came is billed', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: [ONE_AT_A_TIME[0], { ...ONE_AT_A_TIME[1], max: '1000' }] });
  const leaving = new AbortController();
  const response = await tenant.chat({ model: 'huge', stream: true }, { signal: leaving.signal });
  const id = response.headers.get('x-request-id');
  const sent = () => world.seen(id)[0].chunks;
  let before = -1;
  await eventually(async () => {
    const same = sent() === before && before > 0;
    before = sent();
    return same;
  }, 'the provider has to wait');
  assert.ok(sent() < 4_000, `${sent()} of 4000 pieces of 4 kB were sent to nobody`);
  leaving.abort();
  await stopped(id);
  const row = await world.settled(id);
  assert.ok(row.output > 0);
  await released(tenant, row);
});

for (const model of ['stalled', 'silent']) {
  test(`a client that leaves a provider which says nothing (${model}) is settled and its slot free by the end of the lease`, TIMEOUT, async () => {
    const tenant = await world.tenant({ limits: ONE_AT_A_TIME, lease: '1s' });
    const stream = await readPieces(tenant, { model, max_tokens: 100 }, model === 'stalled' ? 4 : 0);
    stream.leave();
    const id = stream.response.headers.get('x-request-id');
    const row = await world.settled(id);
    assert.ok(row.output >= stream.got && row.output <= 100, `${stream.got} <= ${row.output} <= 100`);
    await released(tenant, row);
  });
}

test('a stream that outlives its lease is billed its most for the time being, and exactly once it ends', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: ONE_AT_A_TIME, lease: '1s' });
  const response = await tenant.chat({ model: 'patient', stream: true, max_tokens: 500 });
  const expired = await world.settled(response, 'expired');
  assert.deepEqual([expired.output, expired.truth], [500, 'ceiling']);
  assert.equal(events(await response.text()).at(-1).data, '[DONE]');
  const row = await world.settled(response);
  assert.deepEqual([row.output, row.truth], [70, 'reported']);
  await released(tenant, row);
});

test('where a provider cuts its stream the client gets what came and an error event, and no [DONE]; that much is billed', TIMEOUT, async () => {
  for (const model of ['cut', 'untold-cut']) {
    const tenant = await world.tenant({ limits: ONE_AT_A_TIME });
    const response = await tenant.chat({ model, stream: true });
    const list = events(await response.text());
    const last = list.at(-1);
    assert.equal(last.event, 'error', model);
    assert.deepEqual([last.data.error.type, last.data.error.code, last.data.error.param], ['server_error', 'upstream_cut', null]);
    assert.match(last.data.error.message, /not whole/);
    assert.ok(list.every(({ data }) => data !== '[DONE]'), model);
    assert.ok(WORDS.startsWith(contentOf(list)));
    const got = list.filter(({ data }) => data.choices?.[0]?.delta?.content).length;
    assert.equal(got, 4, 'what came in time is passed on');
    const row = await world.settled(response);
    // Of which nothing came may have used all that was held.
    assert.deepEqual([row.output, row.truth, row.status], [got || row.held_output, 'estimated', 200], model);
    await released(tenant, row);
  }
});

test('an error inside a provider\'s stream goes to the client as it is and ends it; what came is billed', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: ONE_AT_A_TIME });
  const response = await tenant.chat({ model: 'failing', stream: true });
  const list = events(await response.text());
  assert.equal(list.at(-1).data.error.type, 'server_error');
  assert.ok(list.every(({ data }) => data !== '[DONE]'));
  const row = await world.settled(response);
  assert.deepEqual([row.output, row.truth], [4, 'estimated']);
  await released(tenant, row);
});

test('a stream that only lacks its [DONE] gets it, and its usage counts', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: ONE_AT_A_TIME });
  const response = await tenant.chat({ model: 'endless', stream: true });
  const list = events(await response.text());
  assert.deepEqual([contentOf(list), list.at(-1).data], [WORDS, '[DONE]']);
  const row = await world.settled(response);
  assert.deepEqual([row.output, row.truth], [10, 'reported']);
  await released(tenant, row);
});

test('an answer whose usage the provider keeps to itself is counted, streamed or whole: never billed as nothing', TIMEOUT, async () => {
  for (const [model, stream, tokens] of [
    ['untold', true, 10], ['untold-tool', true, 6], ['untold-utf8', true, 24], ['untold', false, null], ['untold-tool', false, null],
  ]) {
    const tenant = await world.tenant({ limits: ONE_AT_A_TIME });
    const response = await tenant.chat({ model, stream, messages: HELLO });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    const row = await world.settled(response);
    const [call] = world.seen(response);
    assert.equal(row.truth, 'counted', model);
    assert.ok(row.input >= call.prompt_tokens, `${row.input} >= ${call.prompt_tokens}`);
    if (stream) assert.equal(row.output, tokens, model);
    else assert.ok(row.output >= call.completion_tokens, `${row.output} >= ${call.completion_tokens}`);
    await released(tenant, row);
  }
});

test('a usage that cannot be true of what came, or of what was asked for, is not believed; any other is', TIMEOUT, async () => {
  for (const [model, stream, truth, output] of [
    ['denied', true, 'counted', 40], ['naught', true, 'counted', 40], ['scant', true, 'counted', 80], ['spare', true, 'reported', 10],
    ['lavish', true, 'bounded', 100], ['lavish', false, 'bounded', 100], ['naught', false, 'counted', 52], ['denied', false, 'counted', 52],
    ['nothing', true, 'counted', 0], ['nothing', false, 'counted', 0],
  ]) {
    const tenant = await world.tenant({ limits: ONE_AT_A_TIME });
    const response = await tenant.chat({ model, stream, max_tokens: 100 });
    await response.text();
    const row = await world.settled(response);
    assert.deepEqual([row.truth, row.output], [truth, output], `${model} ${stream}`);
    assert.ok(row.input > 0 && row.cost > 0, `${model} ${stream}: it had a request`);
  }
});

test('a bill that rests on counting is never above what the call held: the provider kept to its cap', TIMEOUT, async () => {
  for (const stream of [true, false]) {
    const tenant = await world.tenant({ limits: ONE_AT_A_TIME });
    const response = await tenant.chat({ model: 'wordy', stream, max_tokens: 10 });
    await response.text();
    const row = await world.settled(response);
    const [call] = world.seen(response);
    assert.equal(call.completion_tokens, 10);
    assert.ok(row.output <= row.held_output && row.cost <= row.held_cost, `${row.output} tokens are billed where ${row.held_output} were held`);
  }
});
