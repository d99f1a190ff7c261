// A real model server that nobody here wrote: llama.cpp's, behind the gateway, with a tiny model of random weights (tiny_model.py). What it
// says is noise, but a cap, a JSON schema and a forced tool bound that noise exactly, and the server's own counters tell what it made.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { z } from 'zod';
import { ROOT } from '../../scripts/lib/gateway.mjs';
import { SECRETS, eventually, inTime, startWorld } from '../workerd/support.mjs';
import { CLIENTS } from './support.mjs';

const PYTHON = join(ROOT, '.tools/llamacpp/bin/python');
const TIMEOUT = { timeout: 120_000 };
const PRICE = { input: '1', output: '3' };
const CAP = 40;
const ENDLESS = 1_000_000_000;
const VECTOR = 64;
const WEATHER = z.strictObject({ city: z.enum(['Paris', 'Rome']), kind: z.literal('weather'), sunny: z.boolean() });
const SCHEMA = z.toJSONSchema(WEATHER);
const TOO_LONG = 'x'.repeat(3_000);
const REFUSAL = /^request \(3020 tokens\) exceeds the available context size \(2048 tokens\)/;
/** Each client's word for a fault of the request. OpenAI's has no list of them, so the server's own passes. */
const KINDS = {
  openai: 'exceed_context_size_error',
  'openai responses': 'exceed_context_size_error',
  anthropic: 'invalid_request_error',
  gemini: 'INVALID_ARGUMENT',
};
/** Both ways that the gateway has to the server: its OpenAI dialect and its Anthropic one. */
const MODELS = ['chat', 'messages'];

let folder;
let server;
let llama;
let world;
let tenant;
let to;

before(async () => {
  assert.ok(existsSync(PYTHON), 'scripts/e2e.sh installs llama.cpp');
  folder = await mkdtemp(join(tmpdir(), 'tollgate-llamacpp-'));
  llama = await startLlama();
  world = await startWorld({ gateway: { secrets: SECRETS } });
  const target = (provider) => ({ targets: [{ provider, model: 'tiny' }] });
  await world.admin('PUT', '/catalog', {
    providers: {
      llamacpp: { base_url: `${llama}/v1` }, // all else is built in
      'llamacpp-anthropic': { dialect: 'anthropic', base_url: `${llama}/v1` },
    },
    models: { chat: target('llamacpp'), messages: target('llamacpp-anthropic') },
    prices: { 'llamacpp/*': PRICE, 'llamacpp-anthropic/*': PRICE },
  });
  tenant = await world.tenant('llamacpp', { limits: [{ name: 'cost', what: 'cost', per: 'tenant', window: 'month', max: '10' }] });
  to = { url: world.url, key: tenant.key };
});
after(async () => {
  server?.stdin.end();
  await world?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** The address of a server that is ready. */
async function startLlama() {
  server = spawn(PYTHON, ['-B', join(ROOT, 'tests/upstream/llama_server.py'), folder]);
  let faults = '';
  server.stderr.on('data', (data) => { faults += data; });
  const ended = once(server, 'exit').then(() => assert.fail(`llama.cpp ended: ${faults}`));
  ended.catch(() => {}); // at the end of the tests it does
  const [line] = await inTime('llama.cpp listens', Promise.race([once(server.stdout, 'data'), ended]), () => faults);
  const url = String(line).trim();
  await eventually('llama.cpp is well', () => fetch(`${url}/health`).then(({ ok }) => ok));
  return url;
}

/** What the server itself counted since it began: tokens read, from its cache too, and tokens made; and the calls under way. */
async function counted() {
  const text = await (await fetch(`${llama}/metrics`)).text();
  const value = (name) => Number(text.match(new RegExp(`^llamacpp:${name} (\\S+)$`, 'm'))[1]);
  const input = value('prompt_tokens_total') + value('prompt_tokens_cached_total');
  return { input, output: value('tokens_predicted_total'), underWay: value('requests_processing') };
}

/** Makes a call that succeeds; the client, the ledger and the server must agree on what was used. */
async function billed(client, ask, stream) {
  const since = await counted();
  const told = await client.call(to, ask, stream);
  const now = await counted();
  const row = (await tenant.settled()).at(-1);
  assert.deepEqual([row.model, row.status, row.truth, row.attempts], [ask.model, 200, 'reported', 1]);
  assert.deepEqual([row.input, row.output], [now.input - since.input, now.output - since.output], 'as the server counted');
  assert.deepEqual([told.input, told.output], [row.input, row.output], 'as the client was told');
  assert.equal(row.cost, row.input * 1_000 + row.output * 3_000);
  return told;
}

for (const [name, client] of Object.entries(CLIENTS)) {
  for (const stream of [false, true]) {
    const by = `${name}, ${stream ? 'streamed' : 'whole'}`;
    for (const model of MODELS) {
      test(`${by}: llama.cpp's ${model} answers up to the cap, and what it counted is billed`, TIMEOUT, async () => {
        const { text, end, output } = await billed(client, { model, prompt: 'hi', cap: CAP }, stream);
        // Each token is one character.
        assert.deepEqual([text.length, output, end], [CAP, CAP, client.ends.cap]);
        assert.match(text, /^[!-~]+$/);
      });

      // The noise soon has the character that begins a call; from there the server holds it to the schema.
      test(`${by}: llama.cpp's ${model} calls a forced tool with what its schema allows`, TIMEOUT, async () => {
        const tool = { name: 'tell_weather', schema: SCHEMA };
        const { calls, end } = await billed(client, { model, prompt: 'hi', cap: 1_000, tool }, stream);
        assert.deepEqual([calls.map((call) => call.name), end], [['tell_weather'], client.ends.tool]);
        WEATHER.parse(calls[0].given);
      });
    }

    // Of the server's dialects only OpenAI's knows schemas.
    test(`${by}: a JSON schema binds llama.cpp`, TIMEOUT, async () => {
      const { text, end } = await billed(client, { model: 'chat', prompt: 'hi', cap: 1_000, schema: SCHEMA }, stream);
      assert.equal(end, client.ends.itself);
      WEATHER.parse(JSON.parse(text));
    });

    test(`${by}: a prompt longer than llama.cpp's context is refused in the client's words, for nothing`, TIMEOUT, async () => {
      const call = client.call(to, { model: 'chat', prompt: TOO_LONG, cap: CAP }, stream);
      const refused = await call.then(() => assert.fail('it was answered'), client.fault);
      assert.match(refused.message, REFUSAL);
      assert.deepEqual([refused.status, refused.kind], [400, KINDS[name]]);
      const row = (await tenant.settled()).at(-1);
      assert.deepEqual([row.status, row.input, row.output, row.cost], [400, 0, 0, 0]);
    });
  }

  for (const model of MODELS) {
    test(`${name}: a client that leaves an endless stream of llama.cpp's ${model} stops the server and pays for what came`, TIMEOUT, async (t) => {
      const leaver = await world.tenant(`leaves-${model}-${name.replace(' ', '-')}`, { limits: [] });
      const since = await counted();
      const leaving = new AbortController();
      t.after(() => leaving.abort()); // a failure leaves the server's slots to the tests behind it
      const ask = { model, prompt: 'hi', cap: ENDLESS, signal: leaving.signal };
      const stream = await client.begin({ url: world.url, key: leaver.key }, ask);
      const events = stream[Symbol.asyncIterator]();
      const pieces = await readPieces(events, client.piece, 20);
      assert.equal((await counted()).underWay, 1, 'it would go on');
      leaving.abort();
      await eventually('the server is idle', async () => (await counted()).underWay === 0);
      await events.return(); // only now: a stream that nothing holds any more is collected, and that would end it too
      const made = (await counted()).output - since.output;
      const [row] = await leaver.settled(1);
      assert.deepEqual([row.status, row.truth], [200, 'counted']);
      assert.ok(pieces <= row.output && row.output <= made, `${pieces} <= ${row.output} <= ${made}`);
    });
  }
}

/** Reads events until `enough` of them have text, and leaves the stream open. */
async function readPieces(events, textOf, enough) {
  for (let pieces = 0; ;) {
    const { value, done } = await inTime('the next event comes', events.next());
    assert.ok(!done, `it ended after ${pieces} pieces`);
    if (textOf(value)) pieces += 1;
    if (pieces === enough) return pieces;
  }
}

test('its vectors pass, as numbers and packed, and are billed', TIMEOUT, async () => {
  const client = new OpenAI({ baseURL: `${world.url}/v1`, apiKey: tenant.key, maxRetries: 0 });
  const vectors = async (more) => {
    const { data, usage } = await client.embeddings.create({ model: 'chat', input: ['hi', 'hello'], ...more });
    const row = (await tenant.settled()).at(-1);
    // A token for each byte and one before each text.
    assert.deepEqual([usage.prompt_tokens, row.input, row.output, row.truth], [9, 9, 0, 'reported']);
    return data.map(({ embedding }) => embedding);
  };
  const [hi, hello] = await vectors({ encoding_format: 'float' });
  assert.deepEqual([hi.length, hello.length], [VECTOR, VECTOR]);
  for (const one of [hi, hello]) assert.ok(Math.abs(Math.hypot(...one) - 1) < 1e-5, 'llama.cpp makes them of length 1');
  assert.notDeepEqual(hi, hello);
  const single = (numbers) => numbers.map(Math.fround);
  assert.deepEqual((await vectors()).map(single), [hi, hello].map(single), 'the SDK asks for them packed');
  const { models } = new GoogleGenAI({ apiKey: tenant.key, httpOptions: { baseUrl: world.url } });
  const { embeddings } = await models.embedContent({ model: 'chat', contents: ['hi', 'hello'] });
  assert.deepEqual(embeddings.map(({ values }) => single(values)), [hi, hello].map(single));
});
