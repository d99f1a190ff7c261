// Keys stay where they belong: providers never see a client's, clients never see a provider's, whatever a provider answers.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { HELLO, refusal, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 30_000 };
let world;
let blabbing;

/** What a provider could answer that holds the key it was given. */
const BLABS = {
  'in a 400': (key, res) => res.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { message: `bad key ${key}` } })),
  'in a 401': (key, res) => res.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { message: `Incorrect API key provided: ${key}` } })),
  'in a 403': (key, res) => res.writeHead(403, { 'content-type': 'text/plain' }).end(`forbidden for ${key}`),
  'in a 404': (key, res) => res.writeHead(404, { 'content-type': 'text/html' }).end(`<p>${key}</p>`),
  'in a 429': (key, res) => res.writeHead(429, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { message: key } })),
  'in a 500': (key, res) => res.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { message: key } })),
  'in a redirect': (key, res) => res.writeHead(307, { location: `http://127.0.0.1:${res.socket.localPort}/v1/elsewhere?key=${key}` }).end(),
  'in a header': (key, res) => res.writeHead(400, { 'content-type': 'application/json', 'x-debug': key, 'set-cookie': `k=${key}` }).end('{"error":{}}'),
  'in a cut answer': (key, res) => res.writeHead(200, { 'content-type': 'application/json' }).end(`{"error":"${key}`),
  'in half a status line': (key, res) => res.socket.end(`HTTP/1.1 ${key}\r\n\r\n`),
};

/** The same where the answer is passed on as it comes. */
const BLABS_IN_PASSING = {
  'in the content-type': (key, res) => res.writeHead(400, { 'content-type': `application/json; key=${key}` }).end('{"error":{}}'),
  'in a whole answer': (key, res) => res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ choices: [], error: { message: key } })),
  'in an error event': (key, res) => res.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: {"error":{"message":"bad key ${key}"}}\n\n`),
};
const ALL_BLABS = { ...BLABS, ...BLABS_IN_PASSING };

async function startBlabbing() {
  const paths = [];
  const server = createServer((req, res) => {
    paths.push(req.url);
    const parts = [];
    req.on('data', (part) => parts.push(part));
    req.on('end', () => ALL_BLABS[JSON.parse(Buffer.concat(parts)).model](req.headers.authorization.split(' ')[1], res));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}/v1`, paths, stop: () => new Promise((done) => server.close(done).closeAllConnections()) };
}

before(async () => {
  [world, blabbing] = await Promise.all([startWorld(), startBlabbing()]);
  const models = Object.fromEntries(Object.keys(ALL_BLABS).map((what) => [what.replaceAll(' ', '-'), { targets: [{ provider: 'blab', model: what }] }]));
  await world.catalog({ ...models, chat: 'c10', embed: 'embed', second: ['a/fail500', 'b/c10'], unset: { targets: [{ provider: 'lacking', model: 'c10' }] } }, {
    providers: {
      blab: { dialect: 'openai', base_url: blabbing.url, auth: { bearer: 'PROVIDER_A_KEY' } },
      lacking: { dialect: 'openai', base_url: `${world.provider.url}/v1`, auth: { bearer: 'LACKING_API_KEY' } },
    },
  });
});

after(async () => {
  await world.stop();
  await blabbing.stop();
});

/** Every byte of an answer. */
const allOf = async (response) => `${response.status} ${[...response.headers].flat().join(' ')} ${await response.text()}`;

/** Checks that the key of each of `blabs` stays with the gateway, whole and streamed. */
async function keepsTheKey(blabs, check) {
  const tenant = await world.tenant();
  for (const what of Object.keys(blabs)) {
    for (const stream of [false, true]) {
      const response = await tenant.chat({ model: what.replaceAll(' ', '-'), stream });
      const all = await allOf(response);
      assert.ok(!all.includes(world.secrets.PROVIDER_A_KEY), `${what}: ${all}`);
      check?.(what, response.status);
    }
  }
  assert.ok(!world.logs.some((line) => line.includes(world.secrets.PROVIDER_A_KEY)), 'nor is it in the log');
}

test('a provider\'s key is in no answer, wherever a provider that fails or refuses puts it', TIMEOUT, async () => {
  await keepsTheKey(BLABS, (what, status) => assert.ok(status >= 400 && status !== 401, `${what}: ${status}`));
  assert.ok(blabbing.paths.every((path) => path === '/v1/chat/completions'), 'no redirect was followed');
});

for (const [what, blab] of Object.entries(BLABS_IN_PASSING)) {
  test(`a provider's key is in no answer that is passed on: ${what}`, TIMEOUT, () => keepsTheKey({ [what]: blab }));
}

test('a provider\'s refusal of the gateway\'s own key is a 502 with none of the provider\'s words', TIMEOUT, async () => {
  const tenant = await world.tenant();
  for (const what of ['in-a-400', 'in-a-401', 'in-a-403', 'in-a-404']) {
    const error = await refusal(await tenant.chat({ model: what }), 502, { type: 'server_error', code: 'upstream_credentials', param: null });
    assert.doesNotMatch(error.message, /Incorrect|bad key|forbidden for/);
    assert.match(error.message, /secret that the catalog names/);
  }
});

test('a provider that puts the gateway\'s own key into an answer is said to have done so', TIMEOUT, async () => {
  const tenant = await world.tenant();
  const told = /put the gateway's own credentials into its answer.*HTTP 200.*changes the secret/;
  await refusal(await tenant.chat({ model: 'in-a-whole-answer' }), 502, { type: 'server_error', code: 'upstream_credentials', message: told });
  // Before an answer begins an error still has a status.
  await refusal(await tenant.chat({ model: 'in-an-error-event', stream: true }), 502, { code: 'upstream_credentials', message: told });
});

test('of a client\'s request a provider sees the body alone: no header, and none of Tollgate\'s keys', TIMEOUT, async () => {
  const tenant = await world.tenant();
  const headers = {
    'x-api-key': tenant.key, 'api-key': tenant.key, cookie: `session=${tenant.key}`, 'x-tollgate-admin': world.secrets.ADMIN_TOKEN,
    'openai-organization': 'org-client', 'x-forwarded-for': '10.1.2.3', 'x-client-request-id': 'mine', 'accept-language': 'fr', 'user-agent': 'secret-agent',
    referer: 'https://client.example', 'x-script': 'fail500', 'x-stainless-retry-count': '1',
  };
  world.provider.reset();
  for (const body of [{ model: 'chat' }, { model: 'chat', stream: true }, { model: 'second' }]) await (await tenant.chat(body, { headers })).text();
  await (await tenant.post('/v1/embeddings', { model: 'embed', input: 'x' }, { headers })).text();
  await (await fetch(`${world.url}/v1/chat/completions?api_key=${tenant.key}`, {
    method: 'POST', headers: { 'x-api-key': tenant.key }, body: JSON.stringify({ model: 'chat', messages: HELLO }) })).text();
  const calls = world.provider.calls();
  assert.equal(calls.length, 6);
  for (const call of calls) {
    const all = `${call.path} ${JSON.stringify(call.headers)} ${call.raw}`;
    for (const secret of [tenant.key, 'tg_', world.secrets.ADMIN_TOKEN, world.secrets.API_KEYS_SECRET, 'org-client', '10.1.2.3', 'secret-agent', 'client.example']) {
      assert.ok(!all.includes(secret), `${secret} in ${all}`);
    }
    assert.deepEqual(Object.keys(call.headers).filter((header) => !['host', 'connection', 'content-length', 'transfer-encoding', 'accept-encoding'].includes(header)).sort(),
      ['accept', 'authorization', 'content-type', 'user-agent', 'x-client-request-id']);
    assert.equal(call.headers['user-agent'], 'tollgate');
    assert.notEqual(call.headers['x-client-request-id'], 'mine');
  }
});

test('each provider is sent its own key and no other\'s', TIMEOUT, async () => {
  const tenant = await world.tenant();
  const response = await tenant.chat({ model: 'second' });
  assert.equal(response.status, 200, await response.text());
  const [first, second] = world.seen(response);
  assert.deepEqual([first.authorization, second.authorization], [`Bearer ${world.secrets.PROVIDER_A_KEY}`, `Bearer ${world.secrets.PROVIDER_B_KEY}`]);
  for (const [call, other] of [[first, 'PROVIDER_B_KEY'], [second, 'PROVIDER_A_KEY']]) {
    assert.ok(!`${JSON.stringify(call.headers)}${call.raw}`.includes(world.secrets[other]));
  }
});

test('a provider whose secret is missing is a 503 that names the secret, and nothing is sent or billed', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: [{ name: 'budget', what: 'requests', window: '60s', max: 5 }] });
  const calls = world.provider.stats().requests;
  const response = await tenant.chat({ model: 'unset' });
  const error = await refusal(response, 503, { type: 'service_unavailable_error', code: 'gateway_not_set_up', param: null });
  assert.match(error.message, /the secret LACKING_API_KEY is missing.*wrangler secret put LACKING_API_KEY/);
  assert.equal(world.provider.stats().requests, calls);
  const row = await world.settled(response);
  assert.deepEqual([row.cost, row.input, row.output, row.status], [0, 0, 0, 503]);
});
