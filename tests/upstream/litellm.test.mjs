// A real upstream that nobody here wrote: LiteLLM's proxy, which answers from its own mock responses, behind the gateway. It speaks three
// dialects, so the gateway passes calls on to it as they are and translates them, and bills what LiteLLM reports.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { ROOT } from '../../scripts/lib/gateway.mjs';
import { SECRETS, eventually, startWorld } from '../workerd/support.mjs';
import { CLIENTS } from './support.mjs';

const PROXY = join(ROOT, '.tools/litellm/bin/litellm');
const KEY = 'sk-litellm-test';
const SAID = 'Hello from LiteLLM.';
const PATIENCE_MS = 120_000;
const CONFIG = `
model_list:
  - model_name: mocked
    litellm_params: {model: openai/gpt-4o-mini, api_key: none, mock_response: "${SAID}"}
  - model_name: vectors
    litellm_params: {model: openai/text-embedding-3-small, api_key: none, mock_response: [0.25, -0.5]}
general_settings: {master_key: ${KEY}}
litellm_settings: {telemetry: false}
`;

let folder;
let proxy;
let world;
let tenant;
before(async () => {
  assert.ok(existsSync(PROXY), 'scripts/e2e.sh installs LiteLLM');
  folder = await mkdtemp(join(tmpdir(), 'tollgate-litellm-'));
  await writeFile(join(folder, 'config.yaml'), CONFIG);
  const port = await freePort();
  const env = { ...process.env, LITELLM_LOCAL_MODEL_COST_MAP: 'True', LITELLM_LOG: 'ERROR' };
  proxy = spawn(PROXY, ['--config', join(folder, 'config.yaml'), '--host', '127.0.0.1', '--port', String(port)], { env, stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  await eventually('LiteLLM answers', () => fetch(`${url}/health/liveliness`).then(({ ok }) => ok, () => false), PATIENCE_MS);

  world = await startWorld({ gateway: { secrets: { ...SECRETS, LITELLM_API_KEY: KEY } } });
  const target = (provider, model = 'mocked') => ({ targets: [{ provider, model }] });
  await world.admin('PUT', '/catalog', {
    providers: {
      litellm: { base_url: `${url}/v1` }, // all else is built in
      'litellm-anthropic': { dialect: 'anthropic', base_url: `${url}/v1`, auth: { header: 'x-api-key', secret: 'LITELLM_API_KEY' } },
    },
    models: { chat: target('litellm'), messages: target('litellm-anthropic'), vectors: target('litellm', 'vectors') },
    prices: { 'litellm/*': { input: '1', output: '3' }, 'litellm-anthropic/*': { input: '1', output: '3' } },
  });
  tenant = await world.tenant('litellm', { limits: [{ name: 'cost', what: 'cost', per: 'tenant', window: 'month', max: '10' }] });
});
after(async () => {
  proxy?.kill();
  await world?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

for (const [name, { call }] of Object.entries(CLIENTS)) {
  for (const model of ['chat', 'messages']) {
    for (const stream of [false, true]) {
      test(`${name}, ${stream ? 'streamed' : 'whole'}: LiteLLM's ${model} answers, and what it reports is billed`, async () => {
        // It says that it made 503 tokens, whatever it is asked: more than a cap is not billed.
        const told = await call({ url: world.url, key: tenant.key }, { model, prompt: 'hi', cap: 1_000 }, stream);
        assert.equal(told.text, SAID);
        const row = (await tenant.settled()).at(-1);
        assert.deepEqual([row.model, row.status, row.truth], [model, 200, 'reported']);
        assert.deepEqual([row.input, row.output], [told.input, told.output]);
        assert.equal(row.cost, row.input * 1_000 + row.output * 3_000);
      });
    }
  }
}

test('its vectors and its refusals pass', async () => {
  const client = new OpenAI({ baseURL: `${world.url}/v1`, apiKey: tenant.key, maxRetries: 0 });
  const { data } = await client.embeddings.create({ model: 'vectors', input: ['a'], encoding_format: 'float' });
  assert.deepEqual(data[0].embedding, [0.25, -0.5]);
  await world.admin('PUT', '/catalog', {
    providers: { litellm: { base_url: 'http://127.0.0.1:9/v1', timeout: '2s' } },
    models: { chat: { targets: [{ provider: 'litellm', model: 'mocked' }] } },
    prices: { 'litellm/*': { input: '1' } },
  });
  await assert.rejects(client.chat.completions.create({ model: 'chat', messages: [{ role: 'user', content: 'hi' }] }), { status: 502 });
});
