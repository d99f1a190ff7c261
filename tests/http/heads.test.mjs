// Heads of requests and answers: which credential counts, what of an address and a query a provider gets, what a malformed request is
// told, and what of a provider's head a client gets.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { HELLO, eventually, inTime, rawRequest, refusal, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 60_000 };
const PRICE = { input: '1', output: '1', request: '0' };
const ANSWER = JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'packed' }, finish_reason: 'stop' }], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } });
const PACKED = {
  gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync, 'x-gzip': gzipSync, zstd: (text) => Buffer.from(`not ${text}`), GZIP: gzipSync, identity: (text) => Buffer.from(text),
};
let world;
let provider;

/** A provider that answers with the head that the model, or the query, asks for. */
async function startProvider() {
  const seen = [];
  const server = createServer((req, res) => {
    const parts = [];
    req.on('data', (part) => parts.push(part));
    req.on('error', () => {});
    req.on('end', () => {
      const url = new URL(req.url, 'http://x');
      const body = Buffer.concat(parts).toString();
      seen.push({ method: req.method, url: req.url, headers: req.headers, body });
      const wanted = /"model":"packed-([^"]+)"/.exec(body)?.[1] ?? url.searchParams.get('encoding');
      const content = wanted ? PACKED[wanted](ANSWER) : Buffer.from(url.searchParams.get('text') ?? ANSWER);
      const type = url.searchParams.get('type') ?? 'application/json';
      const disposition = url.searchParams.get('disposition');
      res.writeHead(200, { ...(type && { 'content-type': type }), 'content-length': content.length, ...(wanted && { 'content-encoding': wanted }), ...(disposition && { 'content-disposition': disposition }) });
      res.end(content);
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}`, port: server.address().port, seen, stop: () => new Promise((done) => server.close(done).closeAllConnections()) };
}

before(async () => {
  [world, provider] = await Promise.all([startWorld(), startProvider()]);
  const auth = { bearer: 'PROVIDER_A_KEY' };
  await world.catalog({
    chat: 'c10', odd: { targets: [{ provider: 'azure', model: 'a/../b?c#d%2f' }] }, dots: { targets: [{ provider: 'azure', model: '..' }] },
    ...Object.fromEntries(Object.keys(PACKED).map((name) => [`packed-${name}`, { targets: [{ provider: 'p', model: `packed-${name}` }] }])),
    backed: { targets: [{ provider: 'p', model: 'packed-deflate' }, { provider: 'a', model: 'c10' }] },
  }, {
    providers: {
      p: { dialect: 'openai', base_url: `${provider.url}/v1`, auth, price_list: 'none' },
      azure: { dialect: 'openai', base_url: `${provider.url}/openai/deployments/{model}`, query: 'api-version=2024-10-21', auth, price_list: 'none' },
    },
    prices: { 'a/*': PRICE, 'b/*': PRICE, 'p/*': PRICE, 'azure/images/*': { ...PRICE, request: '0.02' }, 'azure/*': PRICE },
  });
});

after(async () => {
  await world.stop();
  await provider.stop();
});

function ask(path, headers, method = 'POST') {
  const question = path.includes(':generateContent') ? { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] } : { model: 'chat', messages: HELLO };
  return fetch(`${world.url}${path}`, { method, headers: { 'content-type': 'application/json', ...headers }, body: method === 'GET' ? undefined : JSON.stringify(question) });
}

test('of two credentials the key of the gateway counts wherever it stands, and no provider sees either', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: [], passthrough: ['*'] });
  const { key } = tenant;
  const chat = '/v1/chat/completions';
  const gemini = '/v1beta/models/chat:generateContent';
  world.provider.reset();
  for (const [path, headers, method] of [
    [chat, { authorization: 'Bearer sk-other', 'x-api-key': key }], [chat, { authorization: `bearer   ${key} `, 'x-api-key': 'sk-other' }], [chat, { authorization: `BEARER ${key}`, 'api-key': key }],
    [chat, { authorization: 'Basic dTpw', 'api-key': key }], [chat, { 'x-goog-api-key': key, 'x-api-key': 'sk-ant-other' }],
    [`${gemini}?key=AIza-other`, { 'x-goog-api-key': key }], [`${gemini}?key=${key}`, { 'x-goog-api-key': 'AIza-other', authorization: 'Bearer ya29.other' }], [`${gemini}?k%65y=${key.replace('_', '%5F')}`, {}],
    [`${gemini}?key=AIza-other&key=${key}`, {}], [`/v1/models?key=x`, { authorization: 'Bearer sk-other', 'x-api-key': key }, 'GET'],
    [`/providers/p/images/x?k%65y=${key}&key=AIza-other&a=1&KEY=${key}`, { authorization: 'Bearer sk-other' }, 'GET'], [`/providers/p/images/x?q=${key}&a=1`, { authorization: `Bearer ${key}`, accept: `${key}`, 'openai-beta': `x ${key}` }, 'GET'],
    [`/providers/p/images/x?access_token=ya29&api_key=k&a=1&%2574oken=${encodeURIComponent(encodeURIComponent(key))}`, { 'x-api-key': key, 'anthropic-version': key }, 'GET'],
  ]) {
    const response = await ask(path, headers, method);
    assert.equal(response.status, 200, `${path} ${JSON.stringify(headers)}: ${await response.text()}`);
  }
  for (const call of [...provider.seen, ...world.provider.calls().map(({ path, headers, raw }) => ({ url: path, headers, body: String(raw) }))]) {
    const all = `${decodeURIComponent(decodeURIComponent(call.url))} ${JSON.stringify(call.headers)}`;
    for (const secret of ['tg_', 'sk-other', 'AIza-other', 'ya29', 'sk-ant-other', 'Basic']) assert.ok(!all.includes(secret), `${secret} in ${all}`);
    assert.equal(call.headers.authorization, `Bearer ${world.secrets.PROVIDER_A_KEY}`);
  }
  assert.ok(provider.seen.some(({ url }) => url === '/v1/images/x?a=1'));

  const other = await world.tenant();
  for (const [path, headers] of [
    [chat, { authorization: `Bearer ${key}`, 'x-api-key': other.key }], [chat, { authorization: `Bearer ${key}`, 'api-key': `${key}x` }], [`${gemini}?key=${other.key}`, { 'x-goog-api-key': key }],
    [`${gemini}?key=${key}&key=${other.key}`, {}],
  ]) {
    const response = await ask(path, headers);
    assert.equal(response.status, 401, `${path} ${JSON.stringify(Object.keys(headers))}`);
    assert.match(await response.text(), /two different API keys/);
  }
  for (const headers of [{ authorization: `Basic ${key}` }, { authorization: key }, { authorization: `Bearer Bearer ${key}` }, { authorization: `Bearer ${key},${other.key}` }, { 'x-api-key': `Bearer ${key}` }]) {
    await refusal(await ask(chat, headers), 401, { code: 'invalid_api_key' });
  }
  await refusal(await ask(`/providers/p/images/${key}`, { 'x-api-key': key }, 'GET'), 400, { code: 'invalid_path' });
  assert.ok(!world.logs.some((line) => line.includes(key.slice(-40))), 'no key is in the log');
});

test('a model\'s name chooses a part of the path and no more: not the host, not another path, not the query', TIMEOUT, async () => {
  for (const base_url of [`http://{model}:${provider.port}/v1`, `http://%7Bmodel%7D:${provider.port}/v1`, `http://127.0.0.1:{model}/v1`, 'http://{model}@a.example/v1', 'http://a.example/{model}/{model}', 'http://a.example\\b', 'ftp://a.example']) {
    const answer = await world.admin('PUT', '/catalog', { providers: { up: { dialect: 'openai', base_url } }, models: {} });
    assert.equal(answer.status, 400, base_url);
    assert.match(answer.body.error.param, /^catalog\.providers\["up"\]\.base_url$/, base_url);
  }
  const tenant = await world.tenant({ limits: [{ what: 'cost', window: 'lifetime', max: '1' }] });
  provider.seen.length = 0;
  const odd = await tenant.chat({ model: 'odd' });
  assert.equal(odd.status, 200, await odd.text());
  assert.equal(provider.seen[0].url, '/openai/deployments/a%2F..%2Fb%3Fc%23d%252f/chat/completions?api-version=2024-10-21');
  await refusal(await tenant.chat({ model: 'dots' }), 503, { code: 'gateway_not_set_up', message: /azure\/\.\./ });

  // What a deployment is called decides nothing; what is called of it does, in the rules and in the price.
  for (const path of ['images/chat/completions', 'audio/chat/completions', 'audio/files', 'moderations', 'v1/images/generations', 'v1/audio/chat/completions', 'mine/files']) {
    await refusal(await tenant.post(`/providers/azure/${path}`, {}), 403, { code: 'passthrough_not_allowed' });
  }
  assert.equal(provider.seen.length, 1);
  for (const query of ['', '?api-version=1999', '?API-VERSION=1999&a=1', '?api%2Dversion=1999&api-version=1998', '?a=1;api-version=1999']) {
    const picture = await tenant.post(`/providers/azure/mine/images/generations${query}`, {});
    assert.equal(picture.status, 200, await picture.text());
    assert.equal(picture.headers.get('x-tollgate-budget-held'), '0.02', 'the price of what is called');
    const [path, got] = provider.seen.at(-1).url.split('?');
    assert.deepEqual([path, got], ['/openai/deployments/mine/images/generations', query.includes('a=1') && !query.includes(';') ? 'a=1&api-version=2024-10-21' : 'api-version=2024-10-21']);
    await world.settled(picture);
  }
});

/** The first answer that a socket gets for these bytes; the client closes its side once they are sent, if `leave`. */
function raw(what, bytes, leave = false) {
  return inTime(new Promise((resolve) => {
    const parts = [];
    const socket = connect(world.gateway.port, '127.0.0.1');
    const end = () => resolve(Buffer.concat(parts).toString('latin1'));
    socket.on('data', (part) => {
      parts.push(part);
      const [head, ...body] = Buffer.concat(parts).toString('latin1').split('\r\n\r\n');
      if (Number(/content-length: (\d+)/i.exec(head)?.[1] ?? Infinity) <= body.join('\r\n\r\n').length) socket.destroy();
    });
    socket.on('close', end);
    socket.on('error', end);
    socket.write(bytes, 'latin1', () => leave && socket.end());
  }), `${what} is answered`);
}

test('a request that is malformed is its sender\'s fault: a 400, never a 500, and nobody else is blamed', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: [], passthrough: ['*'] });
  const calls = world.provider.stats().requests;
  const head = (path, more = '') => `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tenant.key}\r\ncontent-type: application/json\r\n${more}`;
  const chat = '/v1/chat/completions';
  for (const [what, bytes, status, leave] of [
    ['a chunk that has no size', `${head(chat, 'transfer-encoding: chunked\r\n\r\n')}5\r\n{"mod\r\nZZ\r\nx`, 400],
    ['a chunk that is longer than said', `${head(chat, 'transfer-encoding: chunked\r\n\r\n')}2\r\n{"model"}\r\n0\r\n\r\n`, 400],
    ['a chunk without an end', `${head(chat, 'transfer-encoding: chunked\r\n\r\n')}2\r\n{"`, 400, true],
    ['a body that is shorter than said', `${head(chat, 'content-length: 100\r\n\r\n')}{"model":"chat"`, 400, true],
    ['a body that is not UTF-8', `${head(chat, 'content-length: 15\r\n\r\n')}{"model":"\xff\xfe\x00"}`, 400],
    ['a body that is none', `${head(chat, 'content-length: 0\r\n\r\n')}`, 400],
    ['a path that is not UTF-8', `${head('/v1/models/\xff\xfe', 'content-length: 2\r\n\r\n')}{}`, 400],
    ['an escape that is none', `${head('/v1beta/models/%zz:generateContent', 'content-length: 2\r\n\r\n')}{}`, 400],
    ['an escape of half a letter', `${head('/v1beta/models/%c3:generateContent', 'content-length: 2\r\n\r\n')}{}`, 400],
    ['a native path with an escape that is none', `${head('/providers/p/images/%zz', 'content-length: 2\r\n\r\n')}{}`, 400],
    ['a header that is not UTF-8', `${head(chat, 'anthropic-beta: \xff\xfe\r\nidempotency-key: \xff\r\ncontent-length: 2\r\n\r\n')}{}`, 400],
    ['a length that is none', `${head(chat, 'content-length: 0x2\r\n\r\n')}{}`, 400],
    ['a length and chunks', `${head(chat, 'content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n')}0\r\n\r\n`, 400],
    ['a coding that nobody knows', `${head(chat, 'transfer-encoding: xchunked\r\n\r\n')}0\r\n\r\n`, [400, 501]],
    ['a header with a NUL', `${head(chat, 'a\x00b: c\r\ncontent-length: 2\r\n\r\n')}{}`, 400],
    ['TRACE', `TRACE ${chat} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tenant.key}\r\n\r\n`, [400, 405, 501]],
    ['OPTIONS of all', `OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n`, [400, 404, 405]],
  ]) {
    const answer = await raw(what, bytes, leave);
    const told = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);
    // A client that has left may not be answered at all.
    assert.ok([status, leave ? 0 : []].flat(2).includes(told), `${what}: ${answer.slice(0, 400)}`);
  }
  assert.equal(world.provider.stats().requests, calls);
  assert.equal((await tenant.chat({ model: 'chat' })).status, 200);
  assert.ok(!world.logs.some((line) => line.includes('error of the gateway')), world.logs.join('\n'));
});

test('what a browser would run comes as bytes to be saved, and every answer forbids to guess', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: [], passthrough: ['*'] });
  for (const [type, told, disposition] of [
    ['text/html; charset=utf-8', 'application/octet-stream', 'attachment'], ['image/svg+xml', 'application/octet-stream', 'attachment'], ['application/javascript', 'application/octet-stream', 'attachment'],
    ['application/xhtml+xml', 'application/octet-stream', 'attachment'], ['text/xml', 'application/octet-stream', 'attachment'], ['multipart/x-mixed-replace; boundary=a', 'application/octet-stream', 'attachment'],
    ['image/png', 'image/png', null], ['audio/mpeg', 'audio/mpeg', null], ['application/pdf', 'application/pdf', null], ['application/x-ndjson', 'application/x-ndjson', null], ['text/plain; charset=utf-8', 'text/plain; charset=utf-8', null],
    ['', null, null],
  ]) {
    const response = await tenant.post(`/providers/p/images/x?type=${encodeURIComponent(type)}&text=hello`, {});
    assert.deepEqual([response.status, await response.text()], [200, 'hello'], type);
    const { headers } = response;
    assert.deepEqual(['content-type', 'content-disposition', 'x-content-type-options'].map((name) => headers.get(name)), [told, disposition, 'nosniff'], type);
  }
  const named = await tenant.post('/providers/p/images/x?type=image/svg%2Bxml&disposition=inline;filename=a.svg', {});
  assert.equal(named.headers.get('content-disposition'), 'attachment');
  const odd = await tenant.post('/providers/p/images/x?type=image/png;a=%C3%A9&disposition=attachment;filename=%22a%09b%22', {});
  assert.deepEqual(['content-type', 'content-disposition'].map((name) => odd.headers.get(name)), ['image/png', 'attachment;filename="a?b"']);
});

test('an answer that is packed is unpacked, or said to be packed, or refused: never passed for what it is not', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: [], passthrough: ['*'] });
  for (const [encoding, unpacked] of [['identity', true], ['gzip', true], ['br', true], ['deflate', false], ['x-gzip', false], ['zstd', false], ['GZIP', false]]) {
    const response = await tenant.chat({ model: `packed-${encoding}` });
    if (unpacked) assert.deepEqual([response.status, await response.text()], [200, ANSWER], encoding);
    else await refusal(response, 502, { code: 'upstream_encoding' });
    assert.equal(response.headers.get('content-encoding'), null, encoding);

    const native = await rawRequest(`${world.url}/providers/p/images/x?encoding=${encoding}`, { method: 'GET', headers: tenant.headers() }, (sent) => sent.end());
    assert.equal(native.status, 200, encoding);
    assert.equal(native.headers.get('content-encoding'), unpacked ? null : encoding);
    if (unpacked) assert.equal(await native.text(), ANSWER, encoding);
    else assert.equal(native.headers.get('content-length'), String(PACKED[encoding](ANSWER).length), encoding);
  }
  const backed = await tenant.chat({ model: 'backed' });
  assert.deepEqual([backed.status, backed.headers.get('x-tollgate-target')], [200, 'a/c10']);
  assert.ok(provider.seen.every(({ headers }) => headers['accept-encoding'] === 'identity'));
});

test('who tries wrong admin tokens too often is told to wait, and the right one opens all the same', TIMEOUT, async () => {
  const tries = (token, address) => world.admin('GET', '/tenants', undefined, { authorization: `Bearer ${token}`, ...(address && { 'cf-connecting-ip': address }) });
  for (let tried = 1; tried <= 12; tried += 1) {
    const { status, headers, body } = await tries(`wrong-${tried}`, '192.0.2.7');
    assert.equal(status, tried <= 10 ? 401 : 429, `try ${tried}`);
    if (status === 429) {
      assert.equal(body.error.code, 'too_many_wrong_tokens');
      assert.ok(Number(headers.get('retry-after')) >= 1);
    }
  }
  assert.equal((await tries(world.secrets.ADMIN_TOKEN, '192.0.2.7')).status, 200);
  assert.equal((await tries('wrong', '192.0.2.8')).status, 401);
  assert.equal((await tries(` ${world.secrets.ADMIN_TOKEN} `, '192.0.2.8')).status, 200);
  await eventually(async () => (await tries(world.secrets.ADMIN_TOKEN)).status === 200, 'nobody is locked out');
});
