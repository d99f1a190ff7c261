// A refusal reaches its client wherever it is decided, even one that sends all of a long body before it reads: a connection that is cut
// instead tells nobody why. And a body is not read for long for a key that is not good, nor for ever.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { HELLO, eventually, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 60_000 };
const MIB = 1_024 * 1_024;
// More than the buffers of both ends of a connection hold.
const LONG = Buffer.alloc(12 * MIB, 'a');
const JSON_BODY = { type: 'application/json', body: Buffer.concat([Buffer.from('{"text":"'), LONG]) };
let world;

before(async () => {
  world = await startWorld();
  await world.catalog({ chat: 'c10' }, {
    providers: {
      open: { dialect: 'openai', base_url: world.provider.url, auth: { bearer: 'PROVIDER_A_KEY' } },
      unset: { dialect: 'openai', base_url: world.provider.url, auth: { bearer: 'NO_SUCH_KEY' } },
      closed: { dialect: 'openai', base_url: 'http://127.0.0.1:9', auth: { bearer: 'PROVIDER_A_KEY' } },
    },
  });
});

after(() => world.stop());

/** The answer to a request whose body is sent whole before anything is read. */
async function sentFirst(path, { authorization, method = 'POST', type = 'application/octet-stream', chunked = false, body = LONG }) {
  const socket = connect({ host: '127.0.0.1', port: world.gateway.port });
  const length = chunked ? 'transfer-encoding: chunked' : `content-length: ${body.length}`;
  socket.pause();
  socket.write(`${method} ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${authorization}\r\ncontent-type: ${type}\r\n${length}\r\n\r\n`);
  if (chunked) socket.write(`${body.length.toString(16)}\r\n`);
  await new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.write(body, () => resolve());
  });
  if (chunked) socket.write('\r\n0\r\n\r\n');
  let answer = '';
  for await (const part of socket.resume()) {
    answer += part;
    if (/\r\n\r\n.*\}\s*$/s.test(answer)) break;
  }
  socket.destroy();
  return answer;
}

test('a client that sends all of a long body first reads its refusal, wherever that was decided', TIMEOUT, async () => {
  const [good, revoked, poor] = [
    await world.tenant({ passthrough: ['*'] }), await world.tenant({ passthrough: ['*'] }),
    await world.tenant({ passthrough: ['*'], limits: [{ what: 'requests', window: 'day', max: 1 }] }),
  ];
  await world.admin('DELETE', `/tenants/${revoked.id}/keys/${revoked.key.split('_')[2]}`);
  assert.equal((await poor.chat({ model: 'chat', messages: HELLO })).status, 200);
  for (const [what, path, asked, status, code] of [
    ['a forged key', '/v1/chat/completions', { authorization: `${good.key}x` }, 401, 'invalid_api_key'],
    ['no such path', '/v1/nothing', { authorization: good.key }, 404, 'unknown_url'],
    ['another method', '/v1/usage', { authorization: good.key }, 405, 'method_not_allowed'],
    ['an operator\'s wrong token', '/admin/v1/tenants', { authorization: 'wrong' }, 401, 'invalid_admin_token'],
    ['an operator\'s long document', '/admin/v1/tenants', { authorization: world.secrets.ADMIN_TOKEN }, 413, 'request_too_large'],
    ['a revoked key', '/v1/chat/completions', { authorization: revoked.key, ...JSON_BODY }, 401, 'invalid_api_key'],
    ['a revoked key, native', '/providers/open/x', { authorization: revoked.key }, 401, 'invalid_api_key'],
    ['a revoked key, native JSON', '/providers/open/x', { authorization: revoked.key, ...JSON_BODY }, 401, 'invalid_api_key'],
    ['a limit', '/providers/open/x', { authorization: poor.key }, 429, null],
    ['no such provider', '/providers/nobody/x', { authorization: good.key }, 404, 'provider_not_found'],
    ['no secret', '/providers/unset/x', { authorization: good.key }, 503, 'gateway_not_set_up'],
    ['a body in a form that is not read', '/providers/open/x', { authorization: good.key, ...JSON_BODY, body: Buffer.concat([Buffer.from([0xFF]), LONG]) }, 400, null],
  ]) {
    for (const chunked of [false, true]) {
      const answer = await sentFirst(path, { ...asked, chunked }).catch((error) => assert.fail(`${what}, chunked ${chunked}: ${error.message}`));
      assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), `${what}, chunked ${chunked}: ${answer.slice(0, 600)}`);
      if (code !== null) assert.ok(answer.includes(`"code":"${code}"`), `${what}, chunked ${chunked}: ${answer.slice(-400)}`);
    }
  }
});

test('before a long native body of JSON is read its key is looked at', TIMEOUT, async () => {
  const revoked = await world.tenant({ passthrough: ['*'] });
  await world.admin('DELETE', `/tenants/${revoked.id}/keys/${revoked.key.split('_')[2]}`);
  const socket = connect({ host: '127.0.0.1', port: world.gateway.port });
  socket.write(`POST /providers/open/x HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${revoked.key}\r\ncontent-type: application/json\r\ncontent-length: ${8 * MIB}\r\n\r\n`);
  // The rest is never sent: the answer comes without it.
  socket.write(`{"text":"${'a'.repeat(200_000)}`);
  const [answer] = await once(socket, 'data');
  assert.match(answer.toString(), /^HTTP\/1.1 401 /);
  socket.destroy();
});

test('a native body of JSON that stops is refused in its dialect and leaves nothing held, and so does one that breaks off', TIMEOUT, async () => {
  const tenant = await world.tenant({ passthrough: ['*'] });
  const begun = (length) => {
    const socket = connect({ host: '127.0.0.1', port: world.gateway.port });
    socket.on('error', () => {});
    socket.write(`POST /providers/open/x HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tenant.key}\r\ncontent-type: application/json\r\n${length}\r\n\r\n`);
    return socket;
  };
  const held = async () => (await tenant.metrics()).isolate_bytes;
  const [stops, breaks] = [begun(`content-length: ${2 * MIB}`), begun(`content-length: ${2 * MIB}`)];
  for (const socket of [stops, breaks]) socket.write(`{"text":"${'a'.repeat(MIB)}`);
  await eventually(async () => (await held()) >= 4 * MIB, 'both are held');
  const logged = world.logs.length;
  breaks.destroy();
  const [answer] = await once(stops, 'data');
  assert.match(answer.toString(), /^HTTP\/1.1 408 .*"code":"request_timeout"/s);
  await eventually(async () => (await held()) === 0, 'nothing is held');
  assert.deepEqual(world.logs.slice(logged).filter((line) => /error of the gateway|never/.test(line)), []);
  stops.destroy();
});
