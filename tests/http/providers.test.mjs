// Native calls: what is passed on to a provider as it is, who may do that, what it is billed, and what never leaves.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { HELLO, eventually, inTime, rawRequest, refusal, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 60_000 };
const MIB = 1 << 20;
const LARGE = 64 * MIB;
const ALL = { passthrough: ['*'] };
const BUDGET = [{ name: 'budget', what: 'cost', window: 'lifetime', max: '1' }, { name: 'at-once', what: 'concurrency', max: 4 }];
const PRICES = {
  'n/images/*': { input: '5', output: '40', request: '0.04' }, 'n/audio/*': { input: '0', request: '0.015' }, 'n/moderations': { input: '0' },
  'n/*': { input: '1', output: '2' }, 'a/*': { input: '1', output: '2' }, 'c/*': { input: '1', output: '2' },
};
let world;
let native;

/** A provider of everything else than text: its path says what it does. */
async function startNative() {
  const seen = [];
  const json = (res, value, status = 200, more = {}) => {
    const text = JSON.stringify(value);
    res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...more }).end(text);
  };
  const key = (req) => req.headers.authorization?.split(' ')[1];
  const places = {
    '/v1/images/generations': (_, res) => json(res, {
      created: 1, data: [{ b64_json: 'aGk='.repeat(MIB) }], usage: { input_tokens: 10, output_tokens: 100, total_tokens: 110 } }),
    '/v1/audio/speech': (_, res) => res.writeHead(200, { 'content-type': 'audio/mpeg', 'content-disposition': 'attachment; filename="a.mp3"' }).end(Buffer.alloc(70_000, 7)),
    '/v1/moderations': (_, res) => json(res, { id: 'modr-1', model: 'omni-moderation-latest', results: [] }),
    '/v1/nothing': (_, res) => res.writeHead(204).end(),
    '/v1/hang': () => {},
    '/v1/cut': (_, res) => res.writeHead(200, { 'content-type': 'audio/mpeg', 'content-length': 100 }).write(Buffer.alloc(50), () => res.destroy()),
    '/v1/endless': (_, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write('data: {"type":"message_start","message":{"model":"m","usage":{"input_tokens":9,"output_tokens":1}}}\n\n');
      const timer = setInterval(() => res.write(': more\n\n'), 20);
      res.on('close', () => clearInterval(timer));
    },
    '/v1/files/large/content': async (_, res) => {
      res.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': LARGE });
      for (let left = LARGE; left > 0 && !res.destroyed; left -= MIB) {
        if (!res.write(Buffer.alloc(MIB, left / MIB))) await new Promise((next) => { res.once('drain', next); res.once('close', next); });
      }
      res.end();
    },
    '/v1/files/part/content': (req, res) => res.writeHead(206, { 'content-type': 'text/plain', 'content-range': 'bytes 2-4/9', 'accept-ranges': 'bytes', 'content-length': 3, 'x-secret-sauce': 'yes' }).end(req.method === 'HEAD' ? '' : 'cde'),
    '/v1/blab/header': (req, res) => json(res, {}, 200, { 'content-disposition': `x="${key(req)}"` }),
    '/v1/blab/json': (req, res) => json(res, { usage: { prompt_tokens: 1, completion_tokens: 1 }, said: key(req) }),
    '/v1/blab/401': (req, res) => json(res, { error: { message: `bad ${key(req)}` } }, 401),
    '/v1/blab/400': (req, res) => json(res, { error: { message: `bad ${key(req)}` } }, 400),
    '/v1/blab/bytes': async (req, res) => {
      res.writeHead(200, { 'content-type': 'audio/mpeg' });
      for (const part of ['before ', ...key(req)]) {
        res.write(part);
        await new Promise((next) => setTimeout(next, 2));
      }
      res.end(' after');
    },
  };
  const server = createServer((req, res) => {
    const hash = createHash('sha256');
    const call = { method: req.method, url: req.url, headers: req.headers, call: req.headers['x-client-request-id'], bytes: 0, aborted: false, cut: () => res.destroy() };
    seen.push(call);
    res.on('close', () => { call.aborted = !res.writableFinished; });
    req.on('data', (part) => {
      call.bytes += part.length;
      hash.update(part);
    });
    req.on('end', () => {
      call.sha256 = hash.digest('hex');
      const path = new URL(req.url, 'http://x').pathname;
      const status = /^\/v1\/status\/(\d+)$/.exec(path)?.[1];
      if (status) return json(res, { error: { message: 'its own words' } }, Number(status), { 'retry-after': '7' });
      return places[path] ? places[path](req, res) : json(res, { seen: call.url, bytes: call.bytes, sha256: call.sha256 });
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${server.address().port}/v1`, seen, of: (response) => seen.filter((call) => call.call === response.headers.get('x-request-id')),
    stop: () => new Promise((done) => server.close(done).closeAllConnections()),
  };
}

before(async () => {
  [world, native] = await Promise.all([startWorld(), startNative()]);
  await world.catalog({ chat: 'c10' }, {
    providers: {
      patient: { dialect: 'openai', base_url: native.url, shared: false, auth: { bearer: 'PROVIDER_A_KEY' } },
      n: { dialect: 'openai', base_url: native.url, shared: false, auth: { bearer: 'PROVIDER_A_KEY' }, timeout: '1s', headers: { 'x-own': 'of the catalog' }, query: 'api-version=1' },
      c: { dialect: 'anthropic', base_url: native.url, shared: false, auth: { header: 'x-api-key', secret: 'PROVIDER_B_KEY' } },
      unset: { dialect: 'openai', base_url: native.url, auth: { bearer: 'LACKING_API_KEY' } },
    },
    prices: PRICES, default_provider: 'n',
  });
});

after(async () => {
  await world.stop();
  await native.stop();
});

const call = (tenant, method, path, init = {}) => fetch(`${world.url}${path}`, { method, ...init, headers: { authorization: `Bearer ${tenant.key}`, ...init.headers } });

test('a call arrives as it was sent: method, path, query, body and what of its head the provider may see', TIMEOUT, async () => {
  const tenant = await world.tenant(ALL);
  for (const [method, path, url] of [
    ['POST', '/providers/n/v1/files', '/v1/files?api-version=1'],
    ['POST', '/providers/n/files?purpose=batch&x=%2F', '/v1/files?purpose=batch&x=%2F&api-version=1'],
    ['PUT', '/providers/n/a%20b/c:d', '/v1/a%20b/c:d?api-version=1'],
    ['PATCH', '/providers/n/x', '/v1/x?api-version=1'],
    ['DELETE', '/providers/n/files/f-1', '/v1/files/f-1?api-version=1'],
    ['GET', '/v1/files?limit=2', '/v1/files?limit=2&api-version=1'],
    ['POST', '/v1/audio/transcriptions', '/v1/audio/transcriptions?api-version=1'],
    ['GET', '/v1/batches/b', '/v1/batches/b?api-version=1'],
    ['POST', '/v1/rerank', '/v1/rerank?api-version=1'],
  ]) {
    const content = ['GET', 'DELETE'].includes(method) ? undefined : `{"method":"${method}"}`;
    const headers = {
      accept: 'application/json', 'anthropic-beta': 'b', 'openai-beta': 'assistants=v2', cookie: 'c=d', 'x-forwarded-for': '1.2.3.4', 'x-stainless-os': 'Linux',
      'content-type': 'application/json; charset=utf-8',
    };
    const response = await call(tenant, method, path, { body: content, headers });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    const [seen] = native.of(response);
    assert.deepEqual([seen.method, seen.url, seen.bytes], [method, url, content?.length ?? 0]);
    const { authorization, accept, 'content-type': type, 'content-length': length, 'x-own': own, 'anthropic-beta': beta, 'openai-beta': openai } = seen.headers;
    assert.deepEqual([authorization, accept, type, own, beta, openai], [
      `Bearer ${world.secrets.PROVIDER_A_KEY}`, 'application/json', 'application/json; charset=utf-8', 'of the catalog', 'b', 'assistants=v2']);
    assert.equal(length ?? '0', String(content?.length ?? 0));
    const more = Object.keys(seen.headers).filter((name) => ['cookie', 'x-forwarded-for', 'x-stainless-os', 'x-api-key'].includes(name));
    assert.deepEqual(more, []);
    assert.ok(!JSON.stringify(seen).includes(tenant.key), 'the client\'s key');
  }
});

test('every header of a key is one, and a provider is named by the path, by a header or by the catalog', TIMEOUT, async () => {
  const tenant = await world.tenant(ALL);
  const bare = (path, headers) => fetch(`${world.url}${path}`, { headers });
  for (const [path, headers] of [
    ['/providers/n/x', { 'x-api-key': tenant.key }], ['/providers/n/x', { 'api-key': tenant.key }], ['/providers/n/x', { 'x-goog-api-key': tenant.key }],
    [`/providers/n/x?key=${tenant.key}&a=1`, {}], ['/v1/files', { 'x-api-key': tenant.key, 'x-tollgate-provider': 'n' }], ['/v1/files', { 'x-api-key': tenant.key }],
  ]) {
    const response = await bare(path, headers);
    assert.equal(response.status, 200, await response.text());
    assert.ok(!native.of(response)[0].url.includes('tg_'));
    assert.equal(response.headers.get('x-tollgate-target'), 'n/*');
  }
  const anthropic = await bare('/v1/files', { 'x-api-key': tenant.key, 'x-tollgate-provider': 'c', 'anthropic-version': '2023-06-01' });
  assert.equal(anthropic.status, 200, await anthropic.text());
  assert.deepEqual([native.of(anthropic)[0].headers['x-api-key'], native.of(anthropic)[0].headers['anthropic-version']], [world.secrets.PROVIDER_B_KEY, '2023-06-01']);
  for (const [path, headers] of [['/providers/n/x', {}], ['/v1/images/generations', {}], ['/providers/n/x', { 'x-api-key': `${tenant.key}x` }]]) {
    const before = native.seen.length;
    await refusal(await bare(path, headers), 401, { code: 'invalid_api_key' });
    assert.equal(native.seen.length, before);
  }
});

test('what may not be passed on is refused, and nothing is counted', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: BUDGET });
  const open = await world.tenant(ALL);
  const budgeted = await world.tenant({ limits: BUDGET, ...ALL });
  const before = [await tenant.footprint(), native.seen.length];
  const no = async (response, status, expected) => refusal(await response, status, expected);
  const files = await no(call(tenant, 'GET', '/v1/files'), 403, { code: 'passthrough_not_allowed', param: 'passthrough', type: 'permission_error' });
  assert.match(files.message, /"n\/files"/);
  await no(call(tenant, 'GET', '/providers/n/files/images/x'), 403, { code: 'passthrough_not_allowed' });
  await no(call(tenant, 'POST', '/providers/a/chat/completions', { body: '{}' }), 403, { code: 'passthrough_not_allowed' });
  await no(call(open, 'GET', '/providers/nobody/x'), 404, { code: 'provider_not_found', message: /"nobody"/ });
  await no(call(open, 'GET', '/v1/files', { headers: { 'x-tollgate-provider': 'nobody' } }), 404, { code: 'provider_not_found' });
  await no(call(budgeted, 'POST', '/providers/b/x', { body: '{}' }), 503, { code: 'price_unknown', message: /prices\["b\/x"\]/ });
  await no(call(open, 'GET', '/providers/unset/x'), 503, { code: 'gateway_not_set_up', message: /LACKING_API_KEY/ });
  await no(call(open, 'POST', '/providers/n/x', { body: '{}', headers: { 'idempotency-key': 'k' } }), 400, { code: 'idempotency_key_not_supported' });
  await no(call(open, 'POST', '/providers/n/x', { body: '{}', headers: { 'content-encoding': 'gzip' } }), 415, { code: 'unsupported_content_encoding' });
  await no(call(open, 'OPTIONS', '/providers/n/x'), 405, { code: 'method_not_allowed' });
  for (const path of ['a%2fb', 'a%5Cb', 'a//b', 'a/', 'a%00', '%', 'a;b', 'x'.repeat(1_025), `x?${'y'.repeat(4_097)}`]) {
    await no(call(open, 'GET', `/providers/n/${path}`), 400, { code: 'invalid_path' });
  }
  const raw = await rawRequest(`${world.url}`, { method: 'GET', headers: { authorization: `Bearer ${open.key}` } }, (sent) => {
    sent.path = '/providers/n/files/../../../admin';
    sent.end();
  });
  assert.notEqual(raw.status, 200);
  assert.deepEqual([await tenant.footprint(), native.seen.length], before);

  const denied = await call(tenant, 'POST', '/providers/c/messages', { body: '{}' });
  const body = await denied.json();
  assert.deepEqual([denied.status, body.type, body.error.type], [403, 'error', 'permission_error'], 'in the words of the provider\'s clients');
});

test('limits cover native calls by the name of their provider', TIMEOUT, async () => {
  const limits = [
    { name: 'calls', what: 'requests', window: 'lifetime', max: 2, models: ['providers/n'] },
    { name: 'money', what: 'cost', window: 'lifetime', max: '0.05', models: ['providers/*'] },
  ];
  const tenant = await world.tenant({ limits });
  const image = () => tenant.post('/v1/images/generations', { prompt: 'x' });
  const response = await image();
  assert.equal(response.headers.get('x-tollgate-budget-held'), '0.04');
  await response.arrayBuffer();
  const row = await world.settled(response);
  assert.deepEqual([row.model, row.endpoint, row.target, row.cost], ['providers/n', 'passthrough', 'n/*', 40_000_000 + 50_000 + 4_000_000]);
  const full = await refusal(await image(), 429, { code: 'project_spend_limit_exceeded' });
  assert.deepEqual(full.limits.map((limit) => limit.name), ['money']);
  assert.equal((await tenant.limit('calls')).used, 1);
  const { periods } = await tenant.usage();
  assert.equal(periods.lifetime.models['providers/n'].calls, 1);
});

test('a bill is what the answer tells at its model\'s price, and what the path costs each time', TIMEOUT, async () => {
  const tenant = await world.tenant({ ...ALL, limits: BUDGET });
  const chat = (more) => tenant.post('/providers/a/chat/completions', { model: 'c10-i20', messages: HELLO, ...more });
  let total = 0;
  for (const [what, send, { truth = 'reported', target, input = 0, output = 0, cost }] of [
    ['a whole answer', () => chat(), { target: 'a/c10-i20', input: 20, output: 10, cost: 40_000 }],
    ['a stream with its usage', () => chat({ stream: true, stream_options: { include_usage: true } }), { target: 'a/c10-i20', input: 20, output: 10, cost: 40_000 }],
    ['a stream without', () => chat({ stream: true }), { truth: 'ceiling', target: 'a/c10-i20', output: 13, cost: 100_000_000 }],
    ['a refusal', () => chat({ model: 'fail404' }), { target: 'a/*', cost: 0 }],
    ['a picture', () => tenant.post('/v1/images/generations', { prompt: 'x' }), { target: 'n/*', input: 10, output: 100, cost: 44_050_000 }],
    ['sound', () => tenant.post('/v1/audio/speech', { input: 'x' }), { truth: 'counted', target: 'n/*', cost: 15_000_000 }],
    ['a moderation', () => tenant.post('/v1/moderations', { input: 'x' }), { truth: 'counted', target: 'n/omni-moderation-latest', cost: 0 }],
  ]) {
    const response = await send();
    await response.arrayBuffer();
    const row = await world.settled(response);
    const { truth: on, target: to, input: read, output: wrote, cost: nano, attempts, status } = row;
    assert.deepEqual([on, to, read, wrote, nano, attempts, status], [truth, target, input, output, cost, 1, response.status], what);
    total += cost;
  }
  const { periods, limits } = await tenant.usage();
  assert.deepEqual([Math.round(Number(periods.lifetime.total.cost) * 1e9), limits[0].held, limits[1].held], [total, '0', 0]);
});

test('a stream passes as it comes and as it is', TIMEOUT, async () => {
  const tenant = await world.tenant(ALL);
  const body = JSON.stringify({ model: 'c5-d30', messages: HELLO, stream: true });
  const direct = await fetch(`${world.provider.url}/v1/chat/completions`, { method: 'POST', body, headers: { 'content-type': 'application/json', authorization: 'Bearer x' } });
  const passed = await tenant.post('/providers/a/chat/completions', body);
  const plain = (text) => text.replace(/"(id|created)":("[^"]*"|\d+)/g, '');
  assert.equal(passed.headers.get('content-type'), direct.headers.get('content-type'));
  const reader = passed.body.getReader();
  const parts = [];
  for (let step; !(step = await reader.read()).done;) parts.push(Buffer.from(step.value));
  assert.ok(parts.length > 3, `it came in ${parts.length} parts`);
  assert.equal(plain(Buffer.concat(parts).toString()), plain(await direct.text()));
});

/** The most memory that workerd has had. */
async function peakMib() {
  const status = await readFile(`/proc/${world.gateway.workerdPid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)[1]) / 1_024;
}

test('bodies of any size pass both ways, whole, with their length, and are not held', TIMEOUT, async () => {
  const tenant = await world.tenant(ALL);
  const before = await peakMib();
  const part = Buffer.alloc(MIB, 'x');
  const hash = createHash('sha256');
  const up = await rawRequest(`${world.url}/providers/patient/files`, {
    headers: { authorization: `Bearer ${tenant.key}`, 'content-type': 'application/octet-stream', 'content-length': LARGE },
  }, async (sent) => {
    for (let left = LARGE; left > 0; left -= MIB) {
      hash.update(part);
      if (!sent.write(part)) await new Promise((next) => sent.once('drain', next));
    }
    sent.end();
  });
  assert.equal(up.status, 200);
  const told = JSON.parse(await up.text());
  assert.deepEqual([told.bytes, told.sha256], [LARGE, hash.digest('hex')]);
  assert.equal(native.of(up)[0].headers['content-length'], String(LARGE));

  const down = await call(tenant, 'GET', '/providers/patient/files/large/content');
  assert.equal(down.headers.get('content-length'), String(LARGE));
  let bytes = 0;
  for await (const chunk of down.body) {
    bytes += chunk.length;
    if (bytes < 2 * MIB) await new Promise((next) => setTimeout(next, 50));
  }
  assert.equal(bytes, LARGE);
  await world.settled(down);
  const grown = (await peakMib()) - before;
  assert.ok(grown < 60, `workerd grew by ${grown} MiB`);

  const chunked = await call(tenant, 'POST', '/providers/patient/files', { duplex: 'half', body: new Blob(['abc']).stream() });
  assert.equal((await chunked.json()).bytes, 3);
});

test('the head of an answer tells what a client needs of it, and nothing else', TIMEOUT, async () => {
  const tenant = await world.tenant(ALL);
  const range = { headers: { range: 'bytes=2-4' } };
  const part = await call(tenant, 'GET', '/v1/files/part/content', range);
  assert.deepEqual([part.status, await part.text(), native.of(part)[0].headers.range], [206, 'cde', 'bytes=2-4']);
  const head = await call(tenant, 'HEAD', '/v1/files/part/content', range);
  for (const { headers } of [part, head]) {
    const told = ['content-type', 'content-range', 'accept-ranges', 'content-length', 'x-secret-sauce'].map((name) => headers.get(name));
    assert.deepEqual(told, ['text/plain', 'bytes 2-4/9', 'bytes', '3', null]);
  }
  const sound = await tenant.post('/v1/audio/speech', { input: 'x' });
  assert.deepEqual([sound.headers.get('content-type'), sound.headers.get('content-disposition')], ['audio/mpeg', 'attachment; filename="a.mp3"']);
  assert.deepEqual(Buffer.from(await sound.arrayBuffer()), Buffer.alloc(70_000, 7));
  const nothing = await call(tenant, 'DELETE', '/providers/n/nothing');
  assert.deepEqual([nothing.status, await nothing.text()], [204, '']);
  assert.equal((await world.settled(nothing)).status, 204);
  assert.equal((await world.settled(head)).status, 206);
});

test('a provider\'s refusal is its own, its failure is told in ours, and neither is billed; its silence is', TIMEOUT, async () => {
  const tenant = await world.tenant({ ...ALL, limits: BUDGET });
  for (const [status, told, code] of [
    [400, 400], [404, 404], [409, 409], [422, 422], [401, 502, 'upstream_credentials'], [403, 502, 'upstream_credentials'], [402, 502, 'upstream_quota_exhausted'],
    [429, 429, 'upstream_rate_limited'], [500, 500, 'upstream_error'], [503, 503, 'server_is_overloaded'], [307, 502, 'upstream_error'],
  ]) {
    const response = await tenant.post(`/providers/n/status/${status}`, '{}');
    const { error } = await response.json();
    assert.deepEqual([response.status, error.code], [told, code], String(status));
    assert.equal(error.message === 'its own words', code === undefined);
    if (told < 500 && told !== 502) assert.equal(response.headers.get('retry-after'), '7');
    const row = await world.settled(response);
    assert.deepEqual([row.cost, row.status, row.attempts], [0, told, 1]);
  }
  const slow = await tenant.post('/providers/n/hang', '{}');
  await refusal(slow, 504, { code: 'upstream_timeout' });
  const silent = await world.settled(slow);
  assert.deepEqual([silent.truth, silent.cost], ['estimated', silent.held_cost]);
  assert.ok(silent.cost > 0);
  const looked = await call(tenant, 'GET', '/providers/n/hang');
  assert.equal(looked.status, 504);
  assert.equal((await world.settled(looked)).cost, 0, 'who only looks asks for no work');
  assert.equal((await tenant.limit('at-once')).held, 0);
});

test('an answer that is cut breaks off, one whose client leaves is read on, and both are settled once, at what they held', TIMEOUT, async () => {
  const tenant = await world.tenant({ ...ALL, limits: BUDGET });
  const cut = await tenant.post('/providers/n/cut', '{}');
  await assert.rejects(cut.arrayBuffer());
  const broken = await world.settled(cut);
  assert.deepEqual([broken.truth, broken.cost], ['estimated', broken.held_cost]);

  const leaving = new AbortController();
  const left = await tenant.post('/providers/n/endless', '{}', { signal: leaving.signal });
  await left.body.getReader().read();
  leaving.abort();
  native.of(left)[0].cut();
  const row = await world.settled(left);
  assert.deepEqual([row.truth, row.target, row.input, row.output, row.cost], ['estimated', 'n/m', 9, 1, 100_000_000]);

  // What is only looked at has no bill, and is not read on.
  const looking = new AbortController();
  const looked = await call(tenant, 'GET', '/providers/n/endless', { signal: looking.signal });
  await looked.body.getReader().read();
  looking.abort();
  assert.equal((await world.settled(looked)).cost, 0);
  await eventually(() => native.of(looked)[0].aborted, 'the provider is let go of');
  const { periods, limits } = await tenant.usage();
  assert.deepEqual([periods.lifetime.total.calls, limits[0].held, limits[1].held], [3, '0', 0]);
});

test('the provider\'s key is in no answer', TIMEOUT, async () => {
  const tenant = await world.tenant(ALL);
  const secret = world.secrets.PROVIDER_A_KEY;
  for (const [where, status] of [['header', 502], ['401', 502], ['400', null], ['json', null], ['bytes', null]]) {
    const response = await call(tenant, 'GET', `/providers/n/blab/${where}`);
    let got = '';
    const reading = async () => {
      for await (const chunk of response.body) got += Buffer.from(chunk).toString('latin1');
    };
    if (status === null) await assert.rejects(inTime(reading(), `${where} breaks off`), undefined, where);
    else await reading();
    const all = `${[...response.headers].flat().join(' ')} ${got}`;
    assert.ok(!all.includes(secret.slice(0, 20)), `${where}: ${all}`);
    if (status !== null) assert.equal(response.status, status);
    await world.settled(response);
  }
  assert.ok(!world.logs.some((line) => line.includes(secret)), 'nor is it in the log');
});
