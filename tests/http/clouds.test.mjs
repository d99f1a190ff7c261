// Providers that are reached in ways of their own: Azure's deployments, Google Vertex with a service account, Bedrock with signatures.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import { startProvider } from '../provider/provider.mjs';
import { SECRETS, chat, startWorld } from '../workerd/support.mjs';

const EMAIL = 'gateway@project.iam.gserviceaccount.com';
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const pem = (key, type) => key.export({ type, format: 'pem' });

let cloud;
let world;
let tenant;
before(async () => {
  cloud = await startProvider();
  cloud.trust({ public_key: pem(publicKey, 'spki'), email: EMAIL });
  const account = (key) => JSON.stringify({ type: 'service_account', client_email: EMAIL, private_key: pem(key, 'pkcs8'), token_uri: `${cloud.url}/token` });
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey;
  world = await startWorld({
    gateway: {
      secrets: {
        ...SECRETS, AZURE_OPENAI_API_KEY: 'an-azure-key', VERTEX_SERVICE_ACCOUNT: account(privateKey), STRANGER: account(stranger),
        AWS_ACCESS_KEY_ID: 'AKIATEST', AWS_SECRET_ACCESS_KEY: 'test-secret', WRONG_KEY: 'another-secret',
      },
    },
  });
  const google = `${cloud.url}/v1/projects/p/locations/l/publishers/google`;
  const aws = (key) => ({ aws: { access_key_id: 'AWS_ACCESS_KEY_ID', secret_access_key: key, region: 'us-east-1' } });
  const providers = {
    azure: { base_url: `${cloud.url}/openai/deployments/{model}`, query: 'api-version=2024-10-21' },
    vertex: { base_url: google },
    stranger: { dialect: 'gemini', base_url: google, auth: { google: 'STRANGER' } },
    bedrock: { base_url: cloud.url },
    forged: { dialect: 'converse', base_url: cloud.url, auth: aws('WRONG_KEY') },
  };
  await world.admin('PUT', '/catalog', {
    providers,
    models: Object.fromEntries(Object.keys(providers).map((provider) => [provider, { targets: [{ provider, model: 'c3-i9' }] }])),
    prices: Object.fromEntries(Object.keys(providers).map((provider) => [`${provider}/*`, { input: '1', output: '3' }])),
  });
  tenant = await world.tenant('clouds', { limits: [{ name: 'cost', what: 'cost', per: 'tenant', window: 'month', max: '10' }] });
});
after(async () => {
  await world.stop();
  await cloud.stop();
});

/** The answer's text, whole or streamed. */
async function said(model, stream) {
  const response = await chat(world, tenant.key, { model, stream });
  assert.equal(response.status, 200, model);
  const text = await response.text();
  if (!stream) return JSON.parse(text).choices[0].message.content;
  return [...text.matchAll(/"delta":\{"content":("[^"]*")/g)].map(([, word]) => JSON.parse(word)).join('');
}

for (const [provider, paths] of Object.entries({
  azure: ['/openai/deployments/c3-i9/chat/completions?api-version=2024-10-21'],
  vertex: [':generateContent', ':streamGenerateContent?alt=sse'].map((method) => `/v1/projects/p/locations/l/publishers/google/models/c3-i9${method}`),
  bedrock: ['/model/c3-i9/converse', '/model/c3-i9/converse-stream'],
})) {
  test(`${provider} is called as it wants to be, whole and streamed, and billed`, async () => {
    cloud.reset();
    for (const stream of [false, true]) assert.equal(await said(provider, stream), 'the quick brown ');
    const called = cloud.calls().filter(({ path }) => path !== '/token').map(({ path }) => path);
    assert.deepEqual([...new Set(called)], paths);
    const rows = (await tenant.settled()).slice(-2);
    assert.deepEqual(rows.map(({ truth, input, output }) => [truth, input, output]), [['reported', 9, 3], ['reported', 9, 3]]);
  });
}

test('a key that its provider does not take is the operator\'s fault, and is not told', async () => {
  for (const model of ['stranger', 'forged']) {
    const response = await chat(world, tenant.key, { model });
    const text = await response.text();
    assert.deepEqual([response.status, JSON.parse(text).error.code], [502, 'upstream_credentials'], text);
    assert.doesNotMatch(text, /another-secret|PRIVATE|AKIATEST/);
  }
  assert.ok(world.logs.every((line) => !/another-secret|PRIVATE KEY/.test(line)));
});
