// What an isolate holds has an end (it has 128 MB for all its calls), whatever clients send or leave unread and whatever providers answer;
// none of it is forgotten there, and whoever is refused because of it is told.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { after, afterEach, before, test } from 'node:test';
import { createGzip } from 'node:zlib';
import { HELLO, eventually, rawRequest, refusal, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 120_000 };
const CHAT = '/v1/chat/completions';
const MIB = 1_024 * 1_024;
const HELD_MAX = 64 * MIB; // as src/shell/memory.js has it
const LARGE = 48;
const USAGE = { prompt_tokens: 31, completion_tokens: 17, total_tokens: 48 };
const BUDGET = [{ name: 'budget', what: 'cost', window: 'month', max: '25' }];
const opened = [];
let world;
let giant;

before(async () => {
  world = await startWorld();
  giant = await startGiant();
  const giants = ['plain', 'chunked', 'gzip', 'error', 'whole', 'events', 'line'];
  await world.catalog({
    chat: 'c10', late: 'c10-l300', slow: 'c40-d50', backed: ['a/c10-fail500', 'b/c10'],
    ...Object.fromEntries(giants.map((name) => [name, `giant/${name}`])),
    ...Object.fromEntries(giants.map((name) => [`claude-${name}`, `claude/${name}`])),
  }, {
    providers: {
      giant: { dialect: 'openai', base_url: `${giant.url}/v1` }, claude: { dialect: 'anthropic', base_url: `${giant.url}/v1` },
      native: { dialect: 'openai', base_url: giant.url },
    },
    prices: Object.fromEntries(['a', 'b', 'giant', 'claude'].map((name) => [`${name}/*`, { input: '1', output: '2' }])),
  });
});

after(async () => {
  opened.forEach((socket) => socket.destroy());
  await world.stop();
  await giant.stop();
});

afterEach(async () => {
  const tenant = await world.tenant();
  // A named call whose client has left is read on for up to 25 s.
  await eventually(async () => (await tenant.metrics()).isolate_bytes === 0, 'nothing is held', 45_000);
  assert.ok((await tenant.metrics()).isolate_bytes_peak <= HELD_MAX + 8 * MIB, 'what is there already may come on top');
});

/** A provider whose answers have LARGE MiB, in the form that the model's name says. */
async function startGiant() {
  const stopped = [];
  let stuck = 0;
  const pour = async (out, part, head, tail) => {
    out.write(head);
    for (let sent = 0; sent < LARGE * MIB && !out.destroyed; sent += part.length) {
      if (out.write(part)) continue;
      stuck += 1;
      await new Promise((resolve) => {
        out.once('drain', resolve);
        out.once('close', resolve);
      });
      stuck -= 1;
    }
    out.end(tail);
  };
  const part = Buffer.alloc(MIB, 'a');
  const server = createServer(async (req, res) => {
    res.on('error', () => {});
    if (req.url.includes('deaf')) return stopped.push(req); // never reads what it is sent
    const parts = [];
    for await (const chunk of req) parts.push(chunk);
    if (req.url.includes('small')) return res.end('{}');
    const { model } = JSON.parse(Buffer.concat(parts));
    const [head, tail] = JSON.stringify({
      id: 'x', object: 'chat.completion', created: 1, model, choices: [{ index: 0, message: { role: 'assistant', content: '@' }, finish_reason: 'stop' }], usage: USAGE,
    }).split('@');
    const json = { 'content-type': 'application/json' };
    if (model === 'events') {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      const chunk = { id: 'x', object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content: 'a'.repeat(60_000) } }] };
      return pour(res, Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`), '', 'data: [DONE]\n\n');
    }
    if (model === 'line') {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      return pour(res, part, 'data: {"x":"', '"}\n\n');
    }
    if (model === 'gzip') {
      res.writeHead(200, { ...json, 'content-encoding': 'gzip' });
      const packed = createGzip();
      packed.pipe(res);
      return pour(packed, part, head, tail);
    }
    const length = Buffer.byteLength(head) + LARGE * MIB + Buffer.byteLength(tail);
    res.writeHead(model === 'error' ? 400 : 200, model === 'chunked' ? json : { ...json, 'content-length': length });
    return pour(res, part, head, tail);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    deaf: () => stopped.length,
    stuck: () => stuck,
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}

/** A connection to the gateway, which ends with the tests at the latest. */
function open() {
  const socket = connect({ host: '127.0.0.1', port: world.gateway.port });
  socket.on('error', () => {});
  opened.push(socket);
  return socket;
}

/** How much workerd has grown while `act` ran, in MiB, at most. */
async function growth(act) {
  const resident = async (what) => Number(new RegExp(`${what}:\\s+(\\d+) kB`).exec(await readFile(`/proc/${world.gateway.workerdPid}/status`, 'utf8'))[1]) / 1_024;
  const before = await resident('VmRSS');
  let peak = before;
  const watch = setInterval(async () => { peak = Math.max(peak, await resident('VmRSS')); }, 20);
  try {
    await act();
  } finally {
    clearInterval(watch);
  }
  return Math.max(peak, await resident('VmRSS')) - before;
}

const longBody = (model, mib = 16) => `{"model":"${model}","messages":[{"role":"user","content":"${'a'.repeat(mib * MIB - 200)}"}]}`;

/** A request of which the client reads nothing: its socket. */
function unread(tenant, path, body, headers = '') {
  const socket = open();
  const text = JSON.stringify(body);
  socket.pause();
  socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tenant.key}\r\ncontent-type: application/json\r\n${headers}`
    + `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  return socket;
}

// ---- what clients send --------------------------------------------------------------------------------------------------------

test('long bodies at once are each answered, or told that there is no room, and are not held all at once', TIMEOUT, async () => {
  const tenant = await world.tenant();
  for (const model of ['late', 'backed']) {
    const grown = await growth(() => Promise.all(Array.from({ length: 12 }, async () => {
      const response = await tenant.chat(longBody(model));
      if (response.status === 200) return response.text();
      assert.equal(response.headers.get('retry-after'), '2');
      return refusal(response, 503, { code: 'gateway_overloaded', type: 'service_unavailable_error' });
    })));
    assert.ok(grown < 100, `${model}: workerd grew by ${grown} MiB`);
  }
});

test('a long body reaches each of its targets whole, with its length, however it came', TIMEOUT, async () => {
  const tenant = await world.tenant();
  const body = longBody('backed', 3);
  const whole = await tenant.chat(body);
  const parts = await tenant.chat(body, { body: new Blob([body]).stream(), duplex: 'half' });
  for (const response of [whole, parts]) {
    assert.equal(response.status, 200, await response.text());
    const seen = world.seen(response);
    assert.deepEqual(seen.map(({ raw }) => raw.length), [body.length + 5, body.length - 3]);
    assert.ok(seen.every(({ raw, headers }) => Number(headers['content-length']) === raw.length));
  }
});

test('before a long body is read its key is looked at, and nothing else comes of one that is not good', TIMEOUT, async () => {
  const [revoked, disabled] = [await world.tenant(), await world.tenant()];
  await world.admin('DELETE', `/tenants/${revoked.id}/keys/${revoked.key.split('_')[2]}`);
  await world.admin('PATCH', `/tenants/${disabled.id}`, { enabled: false });
  for (const [tenant, status, code] of [[revoked, 401, 'invalid_api_key'], [disabled, 403, 'tenant_disabled']]) {
    const { rows_written: rows } = await tenant.metrics();
    for (const head of [{ 'content-length': String(16 * MIB) }, { 'transfer-encoding': 'chunked' }]) {
      // The rest is never sent: the answer comes without it.
      const response = await rawRequest(`${world.url}${CHAT}`, { headers: tenant.headers(head) }, (request) => request.write(Buffer.alloc(MIB, ' ')));
      await refusal(response, status, { code });
    }
    assert.equal((await tenant.metrics()).rows_written, rows);
    // A client that sends all before it reads is told as well.
    await refusal(await tenant.chat(longBody('chat', 4)), status, { code });
  }
});

test('an upload that stops is refused in its dialect, and one that breaks off is no error of the gateway', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: BUDGET });
  const stops = async (path, head, sent) => {
    const socket = open();
    socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tenant.key}\r\n${head}\r\n\r\n${sent}`);
    const parts = [];
    for await (const part of socket) {
      parts.push(part);
      if (Buffer.concat(parts).includes('}')) break;
    }
    return Buffer.concat(parts).toString();
  };
  const chunk = `${(80_000).toString(16)}\r\n${' '.repeat(80_000)}\r\n`;
  const [known, chunked, claude] = await Promise.all([
    stops(CHAT, `content-length: ${MIB}`, ' '.repeat(300_000)),
    stops(CHAT, 'transfer-encoding: chunked', chunk),
    stops('/v1/messages', 'content-length: 20000', ' '.repeat(10_000)),
  ]);
  for (const answer of [known, chunked]) assert.match(answer, /^HTTP\/1.1 408 .*"code":"request_timeout"/s);
  assert.match(claude, /^HTTP\/1.1 408 .*"type":"error"/s);
  const logged = world.logs.length;
  const socket = open();
  socket.write(`POST ${CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tenant.key}\r\ncontent-length: 100000\r\n\r\n{"model":`);
  await once(socket.resume().end(), 'close');
  assert.deepEqual(world.logs.slice(logged).filter((line) => /error of the gateway/.test(line)), []);
});

test('what a provider does not read of a native call is not read of its client either', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: BUDGET, passthrough: ['*'], unknown_price: 'track_only' });
  const sockets = [];
  const grown = await growth(async () => {
    for (let nth = 0; nth < 8; nth += 1) {
      const socket = open();
      socket.write(`POST /providers/native/deaf HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tenant.key}\r\ncontent-length: ${32 * MIB}\r\n\r\n`);
      socket.write(Buffer.alloc(32 * MIB, 'a'));
      sockets.push(socket);
    }
    await eventually(() => giant.deaf() === 8, 'the provider is called');
    await eventually(() => sockets.every((socket) => socket.writableLength > 16 * MIB), 'most is still with the clients');
  });
  sockets.forEach((socket) => socket.destroy());
  assert.ok(grown < 60, `workerd grew by ${grown} MiB`);
});

test('a native body that is held and read first counts as what is held, and no room for it is told', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: BUDGET, passthrough: ['*'], unknown_price: 'track_only' });
  const body = JSON.stringify({ text: 'a'.repeat(12 * MIB) });
  const grown = await growth(() => Promise.all(Array.from({ length: 8 }, async () => {
    const response = await tenant.post('/providers/native/small', body);
    if (response.status !== 503) return response.text();
    return refusal(response, 503, { code: 'gateway_overloaded' });
  })));
  assert.ok(grown < 160, `workerd grew by ${grown} MiB`);
});

// ---- what providers answer ----------------------------------------------------------------------------------------------------

test('a giant answer in its client\'s dialect passes as it comes and is billed by its usage', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: BUDGET });
  for (const model of ['plain', 'chunked', 'gzip']) {
    let response;
    const grown = await growth(async () => {
      response = await tenant.chat({ model });
      let bytes = 0;
      for await (const part of response.body) bytes += part.length;
      assert.ok(bytes > LARGE * MIB, `${model}: ${bytes} bytes`);
    });
    assert.ok(grown < 60, `${model}: workerd grew by ${grown} MiB`);
    const { input, output, status } = await world.settled(response);
    assert.deepEqual({ input, output, status }, { input: 31, output: 17, status: 200 });
  }
});

test('a giant answer that must be whole is refused and billed, a giant error is cut', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: BUDGET });
  for (const [model, status, code] of [['claude-plain', 502, 'upstream_answer_too_large'], ['claude-gzip', 502, 'upstream_answer_too_large']]) {
    let response;
    const grown = await growth(async () => { response = await tenant.chat({ model }); });
    const error = await refusal(response, status, { code });
    assert.match(error.message, /more than 8388608 bytes/);
    assert.ok(grown < 60, `${model}: workerd grew by ${grown} MiB`);
    assert.ok((await world.settled(response)).cost > 0, 'it was made and came');
  }
  for (const model of ['error', 'claude-error']) {
    const response = await tenant.chat({ model });
    const error = await refusal(response, 400);
    assert.ok(error.message.length <= 2_000, `${error.message.length} letters`);
    assert.equal((await world.settled(response)).cost, 0, 'a refusal is for nothing');
  }
});

test('an event without end breaks its stream off, and is not held', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: BUDGET });
  const grown = await growth(() => Promise.all(['line', 'line', 'line', 'claude-line', 'claude-line', 'claude-line'].map(async (model) => {
    const text = await (await tenant.chat({ model, stream: true })).text();
    assert.match(text, /upstream_event_too_long/);
  })));
  assert.ok(grown < 100, `workerd grew by ${grown} MiB`);
});

// ---- what clients leave unread ------------------------------------------------------------------------------------------------

test('clients that read nothing hold their providers back, and fill no memory', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: BUDGET });
  for (const [what, more, headers] of [
    ['plain', {}, () => ''], ['events', { stream: true }, () => ''],
    ['plain', {}, (nth) => `idempotency-key: plain-${nth}\r\n`], ['events', { stream: true }, (nth) => `idempotency-key: events-${nth}\r\n`],
  ]) {
    const calls = Array.from({ length: 16 }, (_, nth) => [what, more, headers(nth)]);
    const sockets = [];
    const grown = await growth(async () => {
      for (const [model, asked, head] of calls) sockets.push(unread(tenant, CHAT, { model, messages: HELLO, ...asked }, head));
      await eventually(() => giant.stuck() === calls.length, 'all answers are held back');
    });
    sockets.forEach((socket) => socket.destroy());
    assert.ok(grown < 100, `${what} ${headers(0)}: workerd grew by ${grown} MiB`);
  }
});

test('who follows a call of the same name and leaves amid its answer leaves nothing held', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: BUDGET });
  const send = (signal) => tenant.chat({ model: 'slow', stream: true }, { headers: { 'idempotency-key': 'one' }, signal });
  const leader = await send();
  await Promise.all(Array.from({ length: 8 }, async () => {
    const leaving = new AbortController();
    const follower = await send(leaving.signal);
    assert.equal(follower.headers.get('idempotent-replayed'), 'true');
    await follower.body.getReader().read();
    leaving.abort();
  }));
  await leader.text();
});
