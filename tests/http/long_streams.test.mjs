// Streams that run for long: their clients leave and the bill is read to its end or not, their object hears of them while they run, and
// stops them where their call is not carried any more. The tests wait for real seconds, so they run side by side.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { HELLO, contentOf, events, eventually, inTime, refusal, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 60_000 };
const BUDGET = (max) => [{ name: 'budget', what: 'cost', window: 'lifetime', max }];
const ENDED_BY_LENGTH = ['length', '[DONE]'];
let world;

before(async () => {
  world = await startWorld();
  await world.catalog({
    late: 'c10-l7000', failing: ['a/c10-l4000-fail500', 'b/c10-l3000'], short: 'c40-d25', slow: 'c120-d100', slower: 'c600-d100', pair: 'c300-d100', stalled: 'c10-stall4', silent: 'c10-stall0', endless: 'c400-d100',
  });
});

after(() => world.stop());

const idOf = (response) => response.headers.get('x-request-id');
const pieces = (text) => events(text).filter(({ data }) => data.choices?.[0]?.delta?.content).length;
const seen = (id) => world.seen(id)[0];
const ended = (id) => inTime(world.provider.until((calls) => calls.find((one) => one.call === id && (one.completed || one.aborted))), `the provider is done with ${id}`);
const row = async (id) => (await world.ledger()).find((one) => one.call === id);

/** Opens a stream: { id, leave(), reach(count), rest() }; reach reads until so many pieces have come, rest to the end. */
async function open(tenant, body) {
  const leaving = new AbortController();
  const response = await inTime(tenant.chat({ stream: true, ...body }, { signal: leaving.signal }), `${body.model} is answered`);
  assert.equal(response.status, 200);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const whole = () => text.slice(0, text.lastIndexOf('\n\n') + 2);
  const reach = async (count) => {
    while (pieces(whole()) < count) {
      const { value, done } = await inTime(reader.read(), `piece ${count} comes`);
      assert.ok(!done, `the stream ended with ${text}`);
      text += value;
    }
    return pieces(whole());
  };
  const rest = async () => {
    for (let step; !(step = await inTime(reader.read(), `${body.model} goes on`)).done;) text += step.value;
    return events(text);
  };
  return { id: idOf(response), reach, rest, leave: () => leaving.abort() };
}

/** Checks that `list` is a stream that came to its length; gives its pieces. */
function endedByLength(list) {
  const finishes = list.filter(({ data }) => data.choices?.[0]?.finish_reason);
  assert.deepEqual([finishes.map(({ data }) => data.choices[0].finish_reason).join(), list.at(-1).data], ENDED_BY_LENGTH);
  assert.ok(list.every(({ event }) => event === null), 'there is no error in it');
  assert.equal(new Set(list.slice(0, -1).map(({ data }) => `${data.id} ${data.object} ${data.created} ${data.model} ${data.system_fingerprint}`)).size, 1);
  return list.filter(({ data }) => data.choices?.[0]?.delta?.content).length;
}

/** Checks that nothing is held any more, and that the bill is in the sums. */
async function released(tenant, { input, output }) {
  const { limits, periods } = await tenant.usage();
  for (const limit of limits) assert.equal(Number(limit.held), 0);
  assert.deepEqual([periods.lifetime.total.input_tokens, periods.lifetime.total.output_tokens], [input, output]);
}

describe('long streams', { concurrency: true }, () => {
  for (const on_disconnect of ['drain', 'abort']) {
    const drains = on_disconnect === 'drain';
    test(`on_disconnect ${on_disconnect}: ${drains ? 'the provider is read to its end for the exact bill' : 'the provider is stopped'}`, TIMEOUT, async () => {
      const tenant = await world.tenant({ limits: BUDGET('1'), on_disconnect });
      const stream = await open(tenant, { model: 'short' });
      const got = await stream.reach(3);
      stream.leave();
      const settled = await world.settled(stream.id);
      const call = await ended(stream.id);
      assert.deepEqual([call.completed, settled.truth], [drains, drains ? 'reported' : 'counted']);
      if (drains) assert.deepEqual([settled.input, settled.output], [call.prompt_tokens, 40]);
      else assert.ok(settled.output >= got && settled.output <= call.chunks && call.chunks < 40, `${got} <= ${settled.output} <= ${call.chunks}`);
      await released(tenant, settled);
    });
  }

  test('a key\'s policy says what becomes of its streams, whatever its tenant\'s says', TIMEOUT, async () => {
    const tenant = await world.tenant({ on_disconnect: 'abort' });
    const { body } = await world.admin('POST', `/tenants/${tenant.id}/keys`, { name: 'own', policy: { on_disconnect: 'drain' } });
    tenant.key = body.key;
    const stream = await open(tenant, { model: 'short' });
    await stream.reach(1);
    stream.leave();
    assert.deepEqual([(await world.settled(stream.id)).output, (await ended(stream.id)).completed], [40, true]);
  });

  test('a stream that would take too long to drain is stopped, and what was counted is billed', TIMEOUT, async () => {
    const tenant = await world.tenant({ limits: BUDGET('1'), on_disconnect: 'drain' });
    const stream = await open(tenant, { model: 'endless' });
    await stream.reach(1);
    stream.leave();
    // It is read on for 25 seconds.
    const call = await world.provider.until((calls) => calls.find((one) => one.call === stream.id && one.aborted));
    assert.ok(call.chunks > 60 && call.chunks < 400, `${call.chunks} were read`);
    const settled = await world.settled(stream.id);
    assert.equal(settled.truth, 'counted');
    assert.ok(settled.output > 60 && settled.output <= call.chunks, `${settled.output} <= ${call.chunks}`);
    await released(tenant, settled);
  });

  test('the object hears of a stream while it runs, which keeps its lease and changes nothing of it', TIMEOUT, async () => {
    const tenant = await world.tenant({ limits: BUDGET('1'), lease: '8s' });
    const stream = await open(tenant, { model: 'slow' });
    const rest = stream.rest();
    const first = await eventually(() => row(stream.id), 'its row is written');
    const renewed = await eventually(async () => {
      const now = await row(stream.id);
      return now.lease_ends > first.lease_ends && now;
    }, 'its lease is renewed');
    assert.deepEqual([renewed.state, seen(stream.id).completed], ['open', false]);
    const list = await rest;
    assert.equal(list.at(-1).data, '[DONE]');
    assert.equal(pieces(list.map(({ data }) => `data: ${JSON.stringify(data)}\n\n`).join('')), 120);
    const settled = await world.settled(stream.id);
    assert.deepEqual([settled.output, settled.truth], [120, 'reported']);
    await released(tenant, settled);
  });

  for (const [model, stream] of [['late', false], ['late', true], ['failing', false]]) {
    test(`a call that waits for its answer (${model}, ${stream ? 'a stream' : 'whole'}) holds what it holds, however short its lease is`, TIMEOUT, async () => {
      const tenant = await world.tenant({ limits: [...BUDGET('1'), { name: 'one', what: 'concurrency', max: 1 }], lease: '1s' });
      const answer = tenant.chat({ model, stream, messages: HELLO });
      const own = async () => (await world.ledger()).find(({ key }) => key === tenant.key.split('_')[2]);
      const first = await eventually(own, 'its row is written');
      await eventually(async () => (await own()).lease_ends >= first.lease_ends + 3_000, 'its lease is renewed');
      await refusal(await tenant.chat({ model, messages: HELLO }), 429, { code: 'concurrency_limit_exceeded' });
      const response = await answer;
      assert.equal(response.status, 200, await response.text());
      const settled = await world.settled(response);
      assert.deepEqual([settled.state, settled.output, settled.truth], ['settled', 10, 'reported']);
    });
  }

  test('a stream shorter than five seconds asks nothing more of its object', TIMEOUT, async () => {
    const tenant = await world.tenant({ limits: BUDGET('1') });
    const before = (await tenant.metrics()).object_requests;
    const stream = await open(tenant, { model: 'short' });
    await stream.rest();
    await world.settled(stream.id);
    assert.equal((await tenant.metrics()).object_requests - before, 2, 'one admits it, one settles it');
  });

  for (const [model, choices, include_usage] of [['slower', 1, true], ['pair', 2, false], ['stalled', 1, true], ['silent', 1, false]]) {
    test(`a stream (${model}) whose call has ended is stopped: its client sees the length reached`, TIMEOUT, async () => {
      const tenant = await world.tenant({ limits: BUDGET('1'), lease: '1s' });
      const stream = await open(tenant, { model, n: choices, max_tokens: 500, stream_options: { include_usage } });
      const list = await stream.rest();
      const finishes = list.flatMap(({ data }) => data.choices ?? []).filter((choice) => choice.finish_reason);
      assert.deepEqual(finishes.map(({ index, finish_reason }) => [index, finish_reason]), Array.from({ length: choices }, (_, index) => [index, 'length']));
      assert.equal(list.at(-1).data, '[DONE]');
      const call = await ended(stream.id);
      assert.ok(call.aborted, 'the provider is stopped');
      const settled = await world.settled(stream.id);
      // Of which nothing came may have been worked on.
      const isSilent = model === 'silent';
      assert.equal(settled.truth, isSilent ? 'estimated' : 'counted');
      assert.ok(settled.output <= (isSilent ? settled.held_output : call.chunks) && settled.input > 0, `${settled.output} of ${call.chunks}`);
      if (choices === 1 && !isSilent) assert.equal(settled.output, endedByLength(list), 'what came is billed');
      if (include_usage) {
        const { usage } = list.at(-2).data;
        assert.deepEqual([usage.prompt_tokens, usage.completion_tokens], [settled.input, settled.output], 'the client is told its bill');
      } else assert.ok(list.slice(0, -1).every(({ data }) => !('usage' in data)));
      await released(tenant, settled);
    });
  }

  test('the official SDK reads a stream that is stopped like one that came to its length', TIMEOUT, async () => {
    const tenant = await world.tenant({ limits: BUDGET('1'), lease: '1s' });
    const client = new OpenAI({ apiKey: tenant.key, baseURL: `${world.url}/v1`, maxRetries: 0 });
    for (const model of ['slower', 'silent']) {
      const runner = client.chat.completions.stream({ model, messages: HELLO, max_tokens: 500, stream_options: { include_usage: true } });
      const { choices, usage } = await runner.finalChatCompletion();
      assert.deepEqual([choices.length, choices[0].finish_reason], [1, 'length']);
      if (model === 'slower') assert.match(choices[0].message.content, /^the quick brown fox /);
      assert.ok(usage.prompt_tokens > 0);
    }
  });

  test('a stream is stopped where its budget ends that was cut meanwhile, and its bill is within it', TIMEOUT, async () => {
    const tenant = await world.tenant({ limits: BUDGET('1') });
    const stream = await open(tenant, { model: 'slower', max_tokens: 500, stream_options: { include_usage: true } });
    await stream.reach(3);
    const max = '0.00025';
    const { status } = await world.admin('PATCH', `/tenants/${tenant.id}`, { policy: { limits: BUDGET(max) } });
    assert.equal(status, 200);
    const list = await stream.rest();
    const got = endedByLength(list);
    const settled = await world.settled(stream.id);
    assert.deepEqual([settled.truth, settled.output], ['counted', got]);
    assert.ok(settled.cost <= Number(max) * 1e9, `${settled.cost} of ${max}`);
    assert.ok(got > 3 && got < 500, `${got} pieces`);
    assert.equal(list.at(-2).data.usage.completion_tokens, got);
    assert.ok(contentOf(list).startsWith('the quick brown fox '));
    await released(tenant, settled);
  });
});
