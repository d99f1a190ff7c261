// Browsers: which pages may call, what a preflight is answered, and what of an answer a page may read.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { HELLO, rawRequest, refusal, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 30_000 };
const PAGE = 'https://app.example.net';
const OTHER = 'https://shop.example.org';
const STRANGER = 'https://app.example.net.evil.test';
const ALLOWED = `${PAGE} https://*.example.org http://localhost:*`;
let world;
let native;

before(async () => {
  const server = createServer((req, res) => res.writeHead(200, { 'content-type': 'application/json', 'access-control-allow-origin': '*', 'access-control-allow-credentials': 'true' }).end('{}'));
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  native = { url: `http://127.0.0.1:${server.address().port}/v1`, stop: () => new Promise((done) => server.close(done).closeAllConnections()) };
  world = await startWorld({ secrets: { ALLOWED_ORIGINS: ALLOWED } });
  await world.catalog({ chat: 'c10' }, { providers: { n: { dialect: 'openai', base_url: native.url, price_list: 'none' } } });
});

after(async () => {
  await world.stop();
  await native.stop();
});

/** The CORS headers of an answer, by name. */
const cors = (response) => Object.fromEntries([...response.headers].filter(([name]) => name.startsWith('access-control-')));

/** An answer, as a request by hand gets it: fetch would not send an Origin of its own choice to a browser's rules. */
const send = (method, path, headers, body) => rawRequest(`${world.url}${path}`, { method, headers }, (request) => request.end(body));
const preflight = (path, origin, method = 'POST', asked = 'authorization,content-type,x-stainless-os') =>
  send('OPTIONS', path, { origin, 'access-control-request-method': method, ...(asked && { 'access-control-request-headers': asked }) });

test('a preflight of an allowed page is granted without a key, and nobody else hears of it', TIMEOUT, async () => {
  const calls = world.provider.stats().requests;
  for (const origin of [PAGE, OTHER, 'https://a.b.example.org', 'http://localhost:5173', 'http://localhost']) {
    for (const [path, method, asked] of [
      ['/v1/chat/completions', 'POST', 'authorization,content-type,x-stainless-os'], ['/v1/messages', 'POST', 'x-api-key, anthropic-version, anthropic-dangerous-direct-browser-access'],
      ['/v1beta/models/m:generateContent', 'POST', 'x-goog-api-key,x-goog-api-client'], ['/v1/models', 'GET', 'authorization'], ['/v1/usage', 'GET', ''],
      ['/providers/n/files/f-1', 'DELETE', 'idempotency-key,x-tollgate-provider'], ['/v1/nothing/here', 'POST', 'x-own-header'],
    ]) {
      const answer = await preflight(path, origin, method, asked);
      assert.deepEqual([answer.status, await answer.text()], [204, ''], `${origin} ${path}`);
      const { headers } = answer;
      assert.equal(headers.get('access-control-allow-origin'), origin);
      assert.ok(headers.get('access-control-allow-methods').split(', ').includes(method));
      const granted = (headers.get('access-control-allow-headers') ?? '').split(', ').filter(Boolean);
      assert.deepEqual(granted, asked.split(',').map((name) => name.trim()).filter(Boolean));
      assert.ok(Number(headers.get('access-control-max-age')) > 0);
      assert.match(headers.get('vary'), /\bOrigin\b/);
      assert.equal(headers.get('access-control-allow-credentials'), null);
    }
  }
  assert.equal(world.provider.stats().requests, calls);
});

test('a preflight of any other page, or of the admin API, is refused as it ever was, and no page may read that', TIMEOUT, async () => {
  for (const [path, origin, status] of [
    ['/v1/chat/completions', STRANGER, 405], ['/v1/chat/completions', 'http://app.example.net', 405], ['/v1/chat/completions', 'https://example.org', 405],
    ['/v1/chat/completions', 'null', 405], ['/providers/n/x', STRANGER, 405], ['/v1/nothing', STRANGER, 404],
    ['/admin/v1/tenants', PAGE, 401], ['/admin/', PAGE, 401], ['/admin', PAGE, 404],
  ]) {
    const answer = await preflight(path, origin);
    assert.deepEqual([answer.status, cors(answer)], [status, {}], `${path} ${origin}`);
  }
  const plain = await send('OPTIONS', '/v1/chat/completions', { origin: PAGE });
  assert.equal(plain.status, 405, 'no preflight: no method is asked for');
  const admin = await send('GET', '/admin/v1/tenants', { origin: PAGE, authorization: `Bearer ${world.secrets.ADMIN_TOKEN}` });
  assert.deepEqual([admin.status, cors(admin)], [200, {}]);
});

/** Every kind of answer that a page may get: [what, path, init, status]. */
function answers(tenant) {
  const key = { authorization: `Bearer ${tenant.key}`, 'content-type': 'application/json' };
  const chat = (more) => JSON.stringify({ model: 'chat', messages: HELLO, ...more });
  const named = { ...key, 'idempotency-key': 'one-of-a-page' };
  return [
    ['an answer', 'POST', '/v1/chat/completions', key, chat(), 200],
    ['a stream', 'POST', '/v1/chat/completions', key, chat({ stream: true }), 200],
    ['a leader', 'POST', '/v1/chat/completions', named, chat(), 200],
    ['its replay', 'POST', '/v1/chat/completions', named, chat(), 200],
    ['a native answer', 'POST', '/providers/n/images/x', key, '{}', 200],
    ['the models', 'GET', '/v1/models', key, undefined, 200],
    ['the usage', 'GET', '/v1/usage', key, undefined, 200],
    ['no key', 'POST', '/v1/chat/completions', {}, chat(), 401],
    ['a bad key', 'POST', '/v1/messages', { 'x-api-key': 'tg_not_a_key' }, chat(), 401],
    ['a bad body', 'POST', '/v1/chat/completions', key, '{', 400],
    ['an unknown model', 'POST', '/v1/chat/completions', key, chat({ model: 'x' }), 404],
    ['no path', 'GET', '/v1/nothing', key, undefined, 404],
    ['a wrong method', 'GET', '/v1/chat/completions', key, undefined, 405],
    ['a packed body', 'POST', '/v1/chat/completions', { ...key, 'content-encoding': 'gzip' }, chat(), 415],
    ['what may not be passed on', 'GET', '/providers/n/files', key, undefined, 403],
  ];
}

test('an allowed page may read every answer and refusal with all its headers, and no other page any', TIMEOUT, async () => {
  const limits = [{ name: 'rpm', what: 'requests', window: '60s', max: 1_000 }, { name: 'tpm', what: 'tokens', window: '60s', max: 1_000_000 }, { name: 'money', what: 'cost', window: 'month', max: '10' }];
  const tenant = await world.tenant({ limits, unknown_price: 'track_only' });
  // A browser shows these anyway, or nobody reads them.
  const free = new Set(['cache-control', 'content-type', 'content-length', 'date', 'connection', 'keep-alive', 'transfer-encoding', 'vary', 'x-content-type-options']);
  for (const origin of [PAGE, STRANGER, undefined]) {
    for (const [what, method, path, headers, body, status] of answers(tenant)) {
      const answer = await send(method, path, { ...headers, ...(origin && { origin }) }, body);
      assert.equal(answer.status, status, `${what}: ${await answer.text()}`);
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff', what);
      const told = cors(answer);
      if (origin !== PAGE) {
        assert.deepEqual([told, answer.headers.get('vary')], [{}, null], what);
        continue;
      }
      assert.deepEqual(Object.keys(told), ['access-control-allow-origin', 'access-control-expose-headers'], what);
      assert.deepEqual([told['access-control-allow-origin'], answer.headers.get('vary')], [PAGE, 'Origin'], what);
      const exposed = new Set(told['access-control-expose-headers'].split(', '));
      const hidden = [...answer.headers.keys()].filter((name) => !exposed.has(name) && !free.has(name) && !name.startsWith('access-control-'));
      assert.deepEqual(hidden, [], what);
    }
  }
});

test('a policy narrows which pages may use a key: others are refused before anything is held, and cannot read it', TIMEOUT, async () => {
  const tenant = await world.tenant({ allowed_origins: ['https://*.example.org', 'https://elsewhere.test'], limits: [{ what: 'requests', window: 'lifetime', max: 50 }] });
  const { body: own } = await world.admin('POST', `/tenants/${tenant.id}/keys`, { policy: { allowed_origins: [PAGE] } });
  const { body: open } = await world.admin('POST', `/tenants/${tenant.id}/keys`, { policy: {} });
  const chat = (key, origin) => send('POST', '/v1/chat/completions', { authorization: `Bearer ${key}`, ...(origin && { origin }) }, JSON.stringify({ model: 'chat', messages: HELLO }));
  const read = (answer) => [answer.status, answer.headers.get('access-control-allow-origin')];
  const before = await tenant.footprint();
  for (const [key, origin] of [[tenant.key, PAGE], [tenant.key, STRANGER], [tenant.key, 'null'], [own.key, OTHER], [open.key, PAGE]]) {
    const answer = await chat(key, origin);
    await refusal(answer, 403, { code: 'origin_not_allowed', param: 'allowed_origins', type: 'permission_error' });
    assert.deepEqual(cors(answer), {});
  }
  const headers = { 'x-api-key': tenant.key, origin: PAGE };
  const anthropic = await send('POST', '/v1/messages', headers, JSON.stringify({ model: 'chat', max_tokens: 5, messages: HELLO }));
  assert.deepEqual([anthropic.status, JSON.parse(await anthropic.text()).type], [403, 'error']);
  for (const path of ['/v1/usage', '/v1/models', '/providers/n/images/x']) {
    assert.equal((await send('GET', path, headers)).status, 403, path);
  }
  assert.deepEqual(await tenant.footprint(), before);
  for (const [key, origin, expected] of [
    [tenant.key, OTHER, [200, OTHER]], [own.key, PAGE, [200, PAGE]], [open.key, OTHER, [200, OTHER]],
    // The policy allows it, and the deployment does not let it read.
    [tenant.key, 'https://elsewhere.test', [200, null]],
    [tenant.key, undefined, [200, null]],
  ]) assert.deepEqual(read(await chat(key, origin)), expected, origin);

  const bad = await world.admin('PATCH', `/tenants/${tenant.id}`, { policy: { allowed_origins: ['https://a.example/'] } });
  assert.deepEqual([bad.status, bad.body.error.param], [400, 'policy.allowed_origins[0]']);
  const shown = await world.admin('GET', `/tenants/${tenant.id}`);
  assert.deepEqual(shown.body.policy.allowed_origins, ['https://*.example.org', 'https://elsewhere.test']);
});
