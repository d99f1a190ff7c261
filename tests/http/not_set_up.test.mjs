// A deployment that lacks something says what it lacks and how to give it, on the path that needs it; what does not need it still works.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gatewayWorker, refusal, signedKey, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 30_000 };
const MISSING = { type: 'service_unavailable_error', code: 'gateway_not_set_up', param: null };

/** Runs `check` in a world of its own. */
async function inWorld(options, check) {
  const world = await startWorld(options);
  try {
    assert.equal((await fetch(`${world.url}/healthz`)).status, 200);
    await check(world);
  } finally {
    await world.stop();
  }
}

/** What a client with a well-made key is told, on every path that needs a key. */
async function clientIsTold(world, words) {
  const headers = { authorization: `Bearer ${signedKey(world.secrets.API_KEYS_SECRET ?? 'a secret that is elsewhere', 'acme', 'abc')}` };
  for (const [method, path] of [['POST', '/v1/chat/completions'], ['POST', '/v1/embeddings'], ['GET', '/v1/usage'], ['GET', '/v1/models']]) {
    const body = method === 'POST' ? '{"model":"chat","messages":[],"input":"x"}' : undefined;
    const response = await fetch(`${world.url}${path}`, { method, headers, body });
    const error = await refusal(response, 503, MISSING);
    for (const word of words) assert.match(error.message, word, `${method} ${path}`);
    assert.equal(response.headers.get('x-should-retry'), 'false', 'an SDK need not try again');
  }
}

/** What an operator is told. */
async function operatorIsTold(world, words, headers) {
  for (const [method, path] of [['GET', '/tenants'], ['PUT', '/catalog'], ['POST', '/tenants']]) {
    const { status, body } = await world.admin(method, path, method === 'GET' ? undefined : {}, headers);
    assert.deepEqual([status, body.error.type, body.error.code, body.error.param], [503, MISSING.type, MISSING.code, null]);
    for (const word of words) assert.match(body.error.message, word, `${method} ${path}`);
  }
}

test('without API_KEYS_SECRET clients, and without ADMIN_TOKEN operators, are told which secret is missing', TIMEOUT, () =>
  inWorld({ secrets: { API_KEYS_SECRET: undefined, ADMIN_TOKEN: undefined } }, async (world) => {
    await clientIsTold(world, [/API_KEYS_SECRET is missing/, /wrangler secret put API_KEYS_SECRET/]);
    await operatorIsTold(world, [/ADMIN_TOKEN is missing/, /wrangler secret put ADMIN_TOKEN/]);
    await operatorIsTold(world, [/ADMIN_TOKEN is missing/], { authorization: 'Bearer undefined' });
  }));

test('secrets that are too short to be safe are refused as if they were missing', TIMEOUT, () =>
  inWorld({ secrets: { API_KEYS_SECRET: 'fifteen bytes..', ADMIN_TOKEN: 'fifteen bytes..' } }, async (world) => {
    await clientIsTold(world, [/API_KEYS_SECRET/, /fewer than 16 bytes|too short/]);
    await operatorIsTold(world, [/ADMIN_TOKEN is too short/, /at least 16 bytes/]);
  }));

test('without API_KEYS_SECRET an operator is told so too, before a key is made that nobody can use', TIMEOUT, () =>
  inWorld({ secrets: { API_KEYS_SECRET: undefined } }, (world) => operatorIsTold(world, [/API_KEYS_SECRET is missing/])));

test('without the object namespace clients and operators are told which binding is missing', TIMEOUT, async () =>
  inWorld({ worker: { ...(await gatewayWorker()), durableObjects: {} } }, async (world) => {
    await clientIsTold(world, [/the binding TENANTS is missing/, /wrangler\.toml.*bindings are not inherited/]);
    await operatorIsTold(world, [/the binding TENANTS is missing/, /wrangler\.toml/]);
  }));

test('without the registry operators are told which binding is missing', TIMEOUT, async () => {
  const { d1Databases: _, migrations: __, ...worker } = await gatewayWorker();
  await inWorld({ worker }, (world) => operatorIsTold(world, [/the binding REGISTRY is missing/, /wrangler\.toml/]));
});

test('a registry whose tables were never made is a 503 with the command that makes them', TIMEOUT, async () => {
  const { migrations: _, ...worker } = await gatewayWorker();
  await inWorld({ worker }, async (world) => {
    const { status, body } = await world.admin('GET', '/tenants');
    assert.deepEqual([status, body.error.code], [503, 'registry_not_migrated']);
    assert.match(body.error.message, /wrangler d1 migrations apply REGISTRY/);
  });
});
