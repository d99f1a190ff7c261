// All weather: a provider's answer that breaks off after any byte, a client that leaves after any chunk. Every call is settled once, by what is
// known of it, in its time; nothing stays held; and no client takes half an answer for a whole one.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { NANO, bodyOf, chat, eventually, inTime, nanoOf, startWorld, sumOf } from '../workerd/support.mjs';
import { contentOf, events } from './support.mjs';

const SHORT = 'c3-i9'; // what breaks off
const CHUNKS = 20; // of what is left by its client
const INPUT = 31;
// Thousands of calls take a while where the machine is busy.
const PATIENCE_MS = 300_000;
const AT_ONCE = 16;
const LEASE_MS = 10_000;
const LATE_MS = 1_000; // after its lease a call has ended in this time at the latest
const POLICY = {
  lease: `${LEASE_MS / 1_000}s`,
  limits: [
    { name: 'at-once', what: 'concurrency', per: 'tenant', max: 1_000 },
    { name: 'budget', what: 'cost', per: 'tenant', window: 'lifetime', max: '1000' },
    { name: 'tokens', what: 'tokens', per: 'key', window: '1h', max: 1e12 },
  ],
};

let world;
before(async () => { world = await startWorld({ models: { broken: SHORT }, gated: { left: `c${CHUNKS}-i${INPUT}` } }); });
after(() => world.stop());

/** The rows of all `count` calls of a tenant: each settled once and in time, nothing held, and every sum that of the rows. */
async function settledOnce(tenant, count) {
  const rows = await tenant.settled(count);
  for (const row of rows) {
    assert.ok(row.ended_at <= row.lease_ends + LATE_MS, `${row.call} ended ${row.ended_at - row.lease_ends} ms after its lease`);
    assert.equal(row.cost, row.input * NANO.input + row.output * NANO.output);
  }
  assert.equal(new Set(rows.map(({ call }) => call)).size, count);
  const { limits, periods } = await tenant.usage();
  const sums = sumOf(rows);
  assert.ok(Object.values(limits).every(({ held }) => Number(held) === 0), 'nothing is held');
  assert.deepEqual([nanoOf(limits.budget.used), limits.tokens.used], [sums.cost, sums.input_tokens + sums.output_tokens]);
  const { calls, input_tokens: input, output_tokens: output, cost } = periods.lifetime.total;
  assert.deepEqual({ calls, input_tokens: input, output_tokens: output, cost: nanoOf(cost) }, sums);
  return new Map(rows.map((row) => [row.call, row]));
}

// ---- the provider breaks off --------------------------------------------------------------------------------------------------

/** All that the provider would send to the gateway: asked the same, without a cut. */
async function wireBytes(stream) {
  const text = bodyOf({ model: SHORT, stream, stream_options: { include_usage: true }, metadata: { script: 'byte1000000' } });
  const socket = connect({ host: '127.0.0.1', port: world.provider.port });
  const parts = [];
  socket.on('data', (part) => parts.push(part));
  socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: provider\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  await inTime('the provider answers', once(socket, 'close'));
  return Buffer.concat(parts);
}

/** The content of HTTP chunks as far as they go. */
function unchunked(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length;) {
    const line = bytes.indexOf('\r\n', at);
    const size = line < 0 ? 0 : parseInt(bytes.toString('latin1', at, line), 16);
    if (size === 0) break;
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
  return Buffer.concat(parts).toString();
}

/** What is known of an answer of which so many `bytes` came: what the client is to get, and the row. */
function expected(wire, bytes, stream) {
  const head = wire.indexOf('\r\n\r\n') + 4;
  // How much was made of it is not known: what such calls mostly use is billed.
  const nothing = { status: 502, row: [502, 'estimated', null, null] };
  if (bytes < head) return nothing;
  if (!stream) return bytes === wire.length ? { status: 200, row: [200, 'reported', 9, 3] } : nothing;
  const text = unchunked(wire.subarray(head, bytes));
  const came = events(text.slice(0, text.lastIndexOf('\n\n') + 2));
  const pieces = came.filter(({ data }) => data.choices?.[0]?.delta?.content).length;
  // Before the first piece there is no answer, whatever the head said.
  if (pieces === 0) return nothing;
  const told = came.some(({ data }) => data.usage);
  return { status: 200, done: came.at(-1)?.data === '[DONE]', content: contentOf(came), row: [200, told ? 'reported' : 'estimated', told ? 9 : null, told || pieces > 0 ? pieces : null] };
}

/** What the client was given is what came: a whole answer, a stream that says that it broke, or an error. */
function checkAnswer({ status, text, type }, { status: wanted, done, content }, stream) {
  assert.equal(status, wanted, text);
  if (!stream || status !== 200) {
    assert.match(type, /^application\/json/);
    const body = JSON.parse(text);
    if (status === 200) assert.equal(body.choices[0].message.content, 'the quick brown ');
    else assert.match(body.error.code, /^upstream_/);
    return;
  }
  const got = events(text);
  assert.equal(contentOf(got), content);
  if (done) assert.equal(got.at(-1).data, '[DONE]');
  else assert.deepEqual([got.at(-1).event, got.at(-1).data.error.code], ['error', 'upstream_cut']);
  assert.equal(text.includes('[DONE]'), done);
}

for (const stream of [true, false]) {
  test(`a provider that breaks off its ${stream ? 'stream' : 'whole answer'} after any byte`, async (context) => {
    const tenant = await world.tenant(stream ? 'broken-stream' : 'broken-whole', POLICY);
    const wire = await wireBytes(stream);
    world.provider.reset();
    const seen = [];
    let next = 0;
    const client = async () => {
      for (let bytes = next++; bytes <= wire.length; bytes = next++) {
        const response = await chat(world, tenant.key, { model: 'broken', stream, metadata: { script: `byte${bytes}` } });
        const answer = { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
        seen.push({ bytes, call: response.headers.get('x-request-id'), answer });
      }
    };
    const answered = Promise.all(Array.from({ length: AT_ONCE }, client));
    await inTime('every cut is answered', answered, () => `${seen.length} of ${wire.length + 1}`, PATIENCE_MS);
    assert.equal(world.provider.stats().requests, wire.length + 1);
    const rows = await settledOnce(tenant, wire.length + 1);
    const truths = {};
    for (const { bytes, call, answer } of seen) {
      const what = expected(wire, bytes, stream);
      const row = rows.get(call);
      const [status, truth, input, output] = what.row;
      const at = `cut after ${bytes} of ${wire.length} bytes`;
      assert.doesNotThrow(() => checkAnswer(answer, what, stream), undefined, at);
      assert.deepEqual([row.state, row.status, row.truth, row.input, row.output], ['settled', status, truth, input ?? row.input, output ?? row.output], at);
      if (input === null) assert.ok(row.input > 0 && row.cost > 0 && row.cost <= row.held_cost, `${at}: input is estimated`);
      if (output === null) assert.ok(row.output > 0 && row.output <= row.held_output, `${at}: output is estimated`);
      truths[`${status} ${truth}`] = (truths[`${status} ${truth}`] ?? 0) + 1;
    }
    context.diagnostic(`${wire.length + 1} cuts: ${JSON.stringify(truths)}`);
  });
}

// ---- the client leaves --------------------------------------------------------------------------------------------------------

/** A stream that its client leaves after `pieces` of content (null: before it has begun); the row, and how many events were let through. */
async function leave(tenant, nth, pieces) {
  world.provider.reset();
  world.gate.hold();
  const leaving = new AbortController();
  const headers = { authorization: `Bearer ${tenant.key}`, 'content-type': 'application/json' };
  const init = { method: 'POST', headers, body: bodyOf({ model: 'left', stream: true, max_tokens: 50 }), signal: leaving.signal };
  const asked = fetch(`${world.url}/v1/chat/completions`, init);
  await world.reached(1);
  let passed = 0;
  if (pieces !== null) {
    world.gate.pass((passed = 1 + pieces)); // the role and so many pieces
    const reader = (await inTime('the stream begins', asked)).body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const got = () => text.match(/"delta":/g)?.length ?? 0;
    while (got() < passed) text += (await inTime(`event ${passed} comes`, reader.read())).value;
    asked.then(() => reader.read()).catch(() => {});
  }
  asked.catch(() => {});
  leaving.abort();
  const id = world.provider.calls()[0].call;
  // The platform hears that a client has left when there is something to send to it: so the provider says one thing after the other.
  const row = await eventually(`the call that was left after ${pieces} pieces ends`, () => {
    const found = tenant.calls().find((one) => one.call === id && one.state !== 'open');
    if (found) return found;
    world.gate.pass(1);
    passed += 1;
    return null;
  });
  world.gate.release();
  assert.equal(tenant.calls().length, nth);
  return { row, passed };
}

// With the first piece the answer begins: before that the client is sent nothing.
const POINTS = [null, ...Array.from({ length: CHUNKS }, (_, nth) => nth + 1)];

/** What a policy makes of a client that leaves: stop there, or read on for the exact bill. */
const ON_DISCONNECT = { abort: { ...POLICY, on_disconnect: 'abort' }, drain: { ...POLICY, on_disconnect: 'drain' } };

for (const [name, policy] of Object.entries(ON_DISCONNECT)) {
  test(`a client that leaves its stream after any chunk is billed ${name === 'drain' ? 'all of it, exactly' : 'for what was said by then'}`, async (context) => {
    const tenant = await world.tenant(`leaves-${name}`, policy);
    const ends = [];
    for (const [nth, pieces] of POINTS.entries()) {
      const { row, passed } = await leave(tenant, nth + 1, pieces);
      const at = `left after ${pieces} pieces: ${JSON.stringify(row)}`;
      assert.deepEqual([row.state, row.status], ['settled', 200], at);
      const isWhole = passed > CHUNKS + 1; // the role, the pieces and the tail have passed
      if (name === 'drain') assert.equal(row.truth, 'reported', at);
      if (row.truth === 'reported') assert.deepEqual([isWhole, row.input, row.output], [true, INPUT, CHUNKS], at);
      else if (row.truth === 'estimated') assert.ok(!pieces && row.output > 0 && row.output <= row.held_output, `${at}: nothing came of it`);
      else assert.ok(row.truth === 'counted' && row.output >= (pieces ?? 0) && row.output < passed, `${at}, ${passed} events were sent`);
      ends.push(`${pieces ?? 'none'}: ${row.output}`);
    }
    context.diagnostic(`pieces that had come, and output billed: ${ends.join(', ')}`);
    await settledOnce(tenant, POINTS.length);
  });
}
