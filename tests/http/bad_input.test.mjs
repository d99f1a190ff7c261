// Requests that cannot be served, each with an answer that says what is wrong and what would be right, and with nothing changed by it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { HELLO, eventually, rawRequest, refusal, signedKey, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 40_000 };
const CHAT = '/v1/chat/completions';
const LIMITS = [
  { name: 'rpm', what: 'requests', window: '60s', max: 1_000 },
  { name: 'budget', what: 'cost', window: 'month', max: '25' },
  { name: 'at-once', what: 'concurrency', max: 8 },
];
let world;

before(async () => {
  world = await startWorld();
  await world.catalog({ chat: 'c10', embed: 'embed', secretly: 'c10' });
});

after(() => world.stop());

/** A tenant that has made one call, so that there are counts which could change. */
async function tenantWithHistory(policy = { limits: LIMITS }) {
  const tenant = await world.tenant(policy);
  const response = await tenant.chat({ model: 'chat' });
  assert.equal(response.status, 200);
  await response.text();
  await world.settled(response);
  return tenant;
}

/** Runs `act`, and checks that neither the tenant nor the provider shows a trace of it. */
async function changesNothing(tenant, act) {
  const [before, calls] = [await tenant.footprint(), world.provider.stats().requests];
  await act();
  assert.deepEqual(await tenant.footprint(), before);
  assert.equal(world.provider.stats().requests, calls, 'the provider heard nothing');
}

/** Sends each body, and checks the answer: [what, body, param, words of the message]. */
async function bodiesAreRefused(path, cases) {
  const tenant = await tenantWithHistory();
  await changesNothing(tenant, async () => {
    for (const [what, body, param, words, status = 400] of cases) {
      const response = await tenant.post(path, body);
      const error = await refusal(response, status, { type: 'invalid_request_error', param }).catch((cause) => {
        throw new Error(`${what}: ${cause.message}`, { cause });
      });
      assert.match(error.message, words, what);
      assert.equal(response.headers.get('x-should-retry'), 'false', what);
    }
  });
}

const withField = (field) => `{"model":"chat","messages":[],${field}}`;

test('a body that is not a JSON object is refused, and what it is instead is said', TIMEOUT, () =>
  bodiesAreRefused(CHAT, [
    ['empty', '', null, /not valid JSON/],
    ['blank', ' \n', null, /not valid JSON/],
    ['text', 'hello', null, /not valid JSON: .*line 1 column/],
    ['cut', '{"model":"chat"', null, /not valid JSON/],
    ['two documents', '{"model":"chat"}{}', null, /not valid JSON/],
    ['a comma too many', '{"model":"chat",}', null, /not valid JSON/],
    ['a byte order mark', '\ufeff{"model":"chat"}', null, /not valid JSON/],
    ['null', 'null', null, /must be a JSON object/],
    ['a list', '[{"model":"chat"}]', null, /must be a JSON object/],
    ['a string', '"chat"', null, /must be a JSON object/],
    ['a number', '1e999', null, /must be a JSON object|not valid JSON/],
    ['form data', 'model=chat&n=1', null, /not valid JSON/],
    ['invalid UTF-8', Buffer.concat([Buffer.from('{"model":"ch'), Buffer.from([0xff, 0xfe]), Buffer.from('at"}')]), null, /not UTF-8 \(from byte 12\)/],
    ['a NUL byte', '{"model":"chat"\0}', null, /not valid JSON/],
    ['10,000 levels as model', `{"model":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, 'model', /must be the name of a model/],
    ['10,000 levels and no end', '['.repeat(10_000), null, /not valid JSON|must be a JSON object/],
  ]));

test('10,000 levels in a field that is nobody\'s business but the provider\'s go to it as they are', TIMEOUT, async () => {
  const tenant = await tenantWithHistory();
  for (const deep of ['['.repeat(10_000) + ']'.repeat(10_000), `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`]) {
    const response = await tenant.chat(withField(`"metadata":${deep}`));
    assert.equal(response.status, 200, await response.text());
    assert.ok(world.seen(response)[0].raw.includes(deep));
  }
});

test('a field of a wrong type or out of range is refused by its name', TIMEOUT, () =>
  bodiesAreRefused(CHAT, [
    ['no model', '{"messages":[]}', 'model', /is missing/],
    ['a number as model', '{"model":7}', 'model', /must be the name of a model.*got 7/],
    ['null as model', '{"model":null}', 'model', /must be the name/],
    ['an empty model', '{"model":""}', 'model', /must be the name/],
    ['a long model', JSON.stringify({ model: 'm'.repeat(257) }), 'model', /1 to 256 bytes/],
    ['a lone surrogate as model', '{"model":"\\ud800"}', 'model', /must be the name/],
    ['stream as text', withField('"stream":"true"'), 'stream', /true, false or null; got "true"/],
    ['stream_options as text', withField('"stream_options":"usage"'), 'stream_options', /an object or null/],
    ['include_usage as number', withField('"stream_options":{"include_usage":1}'), 'stream_options.include_usage', /true, false or null/],
    ['user as number', withField('"user":7'), 'user', /a string or null/],
    ...['-5', '0', '1.5', '"10"', '[]', 'true', '1e3', '-0'].map((value) =>
      [`max_tokens ${value}`, withField(`"max_tokens":${value}`), 'max_tokens', /a whole number of at least 1/]),
    ['max_tokens of 21 digits', withField('"max_tokens":100000000000000000000'), 'max_tokens', /at most 9007199254740991/],
    ['max_completion_tokens 1e400', withField('"max_completion_tokens":1e400'), 'max_completion_tokens', /whole number/],
    ['n of 0', withField('"n":0'), 'n', /a whole number from 1 to 128/],
    ['n of a million', withField('"n":1000000'), 'n', /from 1 to 128; got 1000000/],
    ['n of 30 digits', withField('"n":999999999999999999999999999999'), 'n', /from 1 to 128/],
  ]));

test('a field that two readers could read in two ways is refused', TIMEOUT, () =>
  bodiesAreRefused(CHAT, [
    ['model twice', '{"model":"chat","model":"secretly"}', 'model', /given twice/],
    ['max_tokens twice', withField('"max_tokens":1,"max_tokens":100000'), 'max_tokens', /given twice/],
    ['max_tokens twice, once escaped', withField('"max_tokens":1,"max\\u005ftokens":100000'), 'max_tokens', /given twice/],
    ['stream twice', withField('"stream":true,"stream":false'), 'stream', /given twice/],
    ['n in capitals', withField('"N":100'), 'N', /is unknown; write it `n`/],
    ['Max_Tokens', withField('"Max_Tokens":100000'), 'Max_Tokens', /write it `max_tokens`/],
    ['include_usage twice', withField('"stream_options":{"include_usage":true,"include_usage":false}'), 'stream_options.include_usage', /given twice/],
  ]));

test('embeddings without a model or an input are refused', TIMEOUT, () =>
  bodiesAreRefused('/v1/embeddings', [
    ['no input', '{"model":"embed"}', 'input', /is missing/],
    ['no model', '{"input":"x"}', 'model', /is missing/],
    ['an unknown model', '{"model":"nothing","input":"x"}', 'model', /does not exist/, 404],
  ]));

test('a body of 100 MB is refused before it has been sent: at once where its length is told, else at the byte too many', TIMEOUT, async () => {
  const tenant = await tenantWithHistory();
  const size = 100 * 1_024 * 1_024;
  const most = 16 * 1_024 * 1_024;
  await changesNothing(tenant, async () => {
    for (const [length, sent] of [[{ 'content-length': String(size) }, 1], [{ 'transfer-encoding': 'chunked' }, most + 1]]) {
      // The rest is never sent: the answer comes without it.
      const response = await rawRequest(`${world.url}${CHAT}`, { headers: tenant.headers(length) }, (request) => request.write(Buffer.alloc(sent, ' ')));
      const error = await refusal(response, 413, { type: 'invalid_request_error', code: 'request_too_large', param: null });
      assert.match(error.message, /larger than 16777216 bytes/);
      assert.equal(response.headers.get('x-should-retry'), 'false');
    }
  });
});

test('a body of the greatest size that is taken arrives whole', TIMEOUT, async () => {
  const tenant = await world.tenant();
  const [head, tail] = ['{"model":"chat","messages":[],"metadata":"', '"}'];
  const body = head + 'x'.repeat(16 * 1_024 * 1_024 - head.length - tail.length) + tail;
  const response = await tenant.chat(body);
  assert.equal(response.status, 200, await response.text());
  assert.equal(world.seen(response)[0].raw.length, body.length - 'chat'.length + 'c10'.length);
});

test('a packed body is refused with what to do instead', TIMEOUT, async () => {
  const tenant = await tenantWithHistory();
  const body = JSON.stringify({ model: 'chat', messages: HELLO });
  await changesNothing(tenant, async () => {
    for (const [encoding, content] of [['gzip', gzipSync(body)], ['br', body], ['zstd', body], ['gzip, identity', gzipSync(body)]]) {
      const response = await tenant.post(CHAT, content, { headers: { 'content-encoding': encoding } });
      const error = await refusal(response, 415, { type: 'invalid_request_error', code: 'unsupported_content_encoding' });
      assert.match(error.message, /send it unpacked/);
      assert.equal(response.headers.get('x-should-retry'), 'false');
    }
  });
});

test('a model that is unknown, and one that the key may not call, get the same 404', TIMEOUT, async () => {
  const tenant = await tenantWithHistory({ limits: LIMITS, models: ['chat'] });
  await changesNothing(tenant, async () => {
    const told = [];
    for (const model of ['nothing', 'secretly']) {
      const error = await refusal(await tenant.chat({ model }), 404, { type: 'invalid_request_error', code: 'model_not_found', param: 'model' });
      told.push(error.message.replace(model, 'MODEL'));
    }
    assert.equal(told[0], told[1]);
  });
});

test('a path that is not served is a 404 that lists those which are', TIMEOUT, async () => {
  const tenant = await tenantWithHistory();
  await changesNothing(tenant, async () => {
    for (const [method, path] of [['GET', '/'], ['POST', '/v1'], ['POST', '/v1/complete'], ['POST', '/v1/responsesx'],
      ['POST', '/v1/chat/completions/'], ['POST', '//v1/chat/completions'], ['POST', '/v1/Chat/completions'], ['GET', '/v1/usage/all'],
      ['GET', '/%00'], ['DELETE', '/v1/everything'], ['POST', `/${'x'.repeat(5_000)}`]]) {
      const response = await fetch(`${world.url}${path}`, { method, headers: tenant.headers(), body: method === 'POST' ? '{}' : undefined });
      const error = await refusal(response, 404, { type: 'invalid_request_error', code: 'unknown_url', param: null });
      for (const served of ['/v1/chat/completions', '/v1/responses', '/v1/messages', '/v1/embeddings']) assert.ok(error.message.includes(served));
      assert.ok(error.message.length < 500, 'a long path is not repeated');
      assert.equal(response.headers.get('x-should-retry'), 'false');
    }
  });
});

test('a wrong method is a 405 that names the right one', TIMEOUT, async () => {
  const tenant = await tenantWithHistory();
  await changesNothing(tenant, async () => {
    for (const [method, path, allow] of [['GET', CHAT, 'POST'], ['PUT', CHAT, 'POST'], ['DELETE', '/v1/embeddings', 'POST'],
      ['POST', '/v1/usage', 'GET'], ['DELETE', '/v1/models', 'GET']]) {
      const response = await fetch(`${world.url}${path}`, { method, headers: tenant.headers() });
      const error = await refusal(response, 405, { type: 'invalid_request_error', code: 'method_not_allowed' });
      assert.ok(error.message.includes(`takes ${allow}, not ${method}`), error.message);
      assert.equal(response.headers.get('allow'), allow);
    }
  });
});

test('no key but an issued one opens anything: not a forged, borrowed or edited one, nor one signed with a stolen secret', TIMEOUT, async () => {
  const [tenant, other] = [await tenantWithHistory(), await tenantWithHistory()];
  const [, , id, tail] = tenant.key.split('_');
  const keys = {
    'too short': tenant.key.slice(0, -1),
    'one letter changed': `${tenant.key.slice(0, -1)}${tenant.key.at(-1) === 'A' ? 'B' : 'A'}`,
    'moved to another tenant': `tg_${other.id}_${id}_${tail}`,
    'of another deployment': signedKey('the signing secret of another one', tenant.id, id),
    'signed with the stolen secret': signedKey(world.secrets.API_KEYS_SECRET, tenant.id, id),
    'of a tenant that is not': signedKey(world.secrets.API_KEYS_SECRET, 'nobody', id),
    'the admin token': world.secrets.ADMIN_TOKEN,
    'a provider\'s key': world.secrets.PROVIDER_A_KEY,
    'an endless one': `tg_${tenant.id}_${id}_${'x'.repeat(8_000)}`,
  };
  await changesNothing(tenant, async () => {
    for (const [what, key] of Object.entries(keys)) {
      for (const headers of [{ authorization: `Bearer ${key}` }, { 'x-api-key': key }]) {
        const response = await fetch(`${world.url}${CHAT}`, { method: 'POST', headers, body: '{"model":"chat","messages":[]}' });
        const error = await refusal(response, 401, { type: 'invalid_request_error', code: 'invalid_api_key', param: null });
        assert.ok(!error.message.includes(key), what);
        assert.equal(response.headers.get('x-should-retry'), 'false');
      }
      const usage = await fetch(`${world.url}/v1/usage`, { headers: { authorization: `Bearer ${key}` } });
      await refusal(usage, 401, { code: 'invalid_api_key' });
    }
    const none = await fetch(`${world.url}${CHAT}`, { method: 'POST', body: '{}' });
    assert.match((await refusal(none, 401, { code: 'invalid_api_key' })).message, /There is no API key/);
  });
});

test('the key of another tenant works for that tenant alone', TIMEOUT, async () => {
  const [tenant, other] = [await tenantWithHistory(), await tenantWithHistory({ limits: LIMITS, models: ['embed', 'chat'] })];
  const before = await tenant.footprint();
  const response = await other.chat({ model: 'chat' });
  await response.text();
  await world.settled(response);
  assert.deepEqual(await tenant.footprint(), before);
  assert.deepEqual([(await other.usage()).tenant, (await other.usage()).periods.lifetime.total.calls], [other.id, 2]);
});

test('revoked and expired keys and disabled tenants are refused, with the cause', TIMEOUT, async () => {
  const tenant = await tenantWithHistory();
  const key = async (fields) => (await world.admin('POST', `/tenants/${tenant.id}/keys`, fields)).body;
  const [gone, kept] = [await key({ name: 'gone' }), await key({ name: 'kept' })];
  const path = (one) => `/tenants/${tenant.id}/keys/${one.id}`;
  assert.equal((await world.admin('DELETE', path(gone))).status, 200);
  const call = (plain) => fetch(`${world.url}${CHAT}`, { method: 'POST', headers: { authorization: `Bearer ${plain}` }, body: '{"model":"chat"}' });
  await changesNothing(tenant, async () => {
    assert.match((await refusal(await call(gone.key), 401, { code: 'invalid_api_key' })).message, /revoked/);
  });
  const soon = new Date(Date.now() + 300).toISOString();
  assert.equal((await world.admin('PATCH', path(kept), { expires_at: soon })).status, 200);
  const usage = () => fetch(`${world.url}/v1/usage`, { headers: { authorization: `Bearer ${kept.key}` } });
  await eventually(async () => (await usage()).status === 401, 'the key expires');
  assert.match((await refusal(await call(kept.key), 401, { code: 'invalid_api_key' })).message, /expired/);
  assert.equal((await world.admin('PATCH', `/tenants/${tenant.id}`, { enabled: false })).status, 200);
  const response = await call(tenant.key);
  await refusal(response, 403, { type: 'permission_error', code: 'tenant_disabled' });
  assert.equal(response.headers.get('x-should-retry'), 'false');
});
