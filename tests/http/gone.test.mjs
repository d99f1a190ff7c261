// A client that has gone before its answer was there: nobody takes that answer, and nobody says so. The call ends all the same, is
// billed, and holds nothing.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { HELLO, eventually, inTime, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 60_000 };
const LATE = 'c40-i10-l700';
let world;

before(async () => {
  world = await startWorld();
  await world.catalog({ late: `a/${LATE}`, large: `a/c40-i10-s3000000-l700`, lengthy: 'a/c400-i10-d10-l700' });
});
after(() => world.stop());

/** Sends a call and breaks the connection once the provider has it, which answers later. */
async function leave(tenant, path, body, headers = {}) {
  const text = JSON.stringify(body);
  const before = world.provider.calls().length;
  const socket = connect(new URL(world.url).port, '127.0.0.1');
  socket.on('error', () => {});
  const head = { host: 'gateway', authorization: `Bearer ${tenant.key}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers };
  socket.write(`POST ${path} HTTP/1.1\r\n${Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${text}`);
  await inTime(world.provider.until((calls) => calls.length > before), 'the provider has the call');
  socket.resetAndDestroy();
  return world.provider.calls().at(-1).call;
}

const chat = { model: 'late', messages: HELLO, max_tokens: 100 };
const native = { model: LATE, messages: HELLO, max_tokens: 100 };
const gemini = { contents: [{ parts: [{ text: 'Hello!' }] }] };
const ROADS = [
  ['a stream', '/v1/chat/completions', { ...chat, stream: true }],
  ['a long stream', '/v1/chat/completions', { ...chat, model: 'lengthy', stream: true, max_tokens: 1_000 }],
  ["Anthropic's stream", '/v1/messages', { ...chat, stream: true }],
  ["Gemini's stream", '/v1beta/models/late:streamGenerateContent?alt=sse', gemini],
  ['a stream of Responses', '/v1/responses', { model: 'late', input: 'Hello!', stream: true }],
  ['a named stream', '/v1/chat/completions', { ...chat, stream: true }, { 'idempotency-key': 'stream' }],
  ['a long named stream', '/v1/chat/completions', { ...chat, model: 'lengthy', stream: true, max_tokens: 1_000 }, { 'idempotency-key': 'long' }],
  ['a whole answer', '/v1/chat/completions', chat],
  ['a large whole answer', '/v1/chat/completions', { ...chat, model: 'large' }],
  ['a named whole answer', '/v1/chat/completions', chat, { 'idempotency-key': 'whole' }],
  ['a native stream', '/providers/a/chat/completions', { ...native, stream: true }],
  ['a native answer', '/providers/a/chat/completions', native],
  ['a large native answer', '/providers/a/chat/completions', { ...native, model: 'c40-i10-s3000000-l700' }],
];

for (const [name, path, body, headers] of ROADS) {
  test(`${name} that nobody takes ends, is billed and holds nothing`, TIMEOUT, async () => {
    const limits = [{ name: 'at-once', what: 'concurrency', max: 1 }, { name: 'money', what: 'cost', window: 'month', max: '10' }];
    const tenant = await world.tenant({ limits, passthrough: ['*'], lease: '3s' });
    const row = await world.settled(await leave(tenant, path, body, headers));
    assert.ok(row.cost > 0, 'it is billed');
    const { limits: [slots, money] } = await tenant.usage();
    assert.deepEqual([slots.held, money.held], [0, '0']);
    await eventually(async () => (await tenant.metrics()).isolate_bytes === 0, 'the isolate holds nothing of it');
  });
}
