// Tollgate as a target: the built Worker, set up through its admin API as an operator would, with every kind of limit on.

import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { startGateway } from '../scripts/lib/gateway.mjs';
import { CHUNKS } from './measure.mjs';

const BUILD = fileURLToPath(new URL('../build/', import.meta.url));
const SETTLED_MS = 100;
const SETTLED_READINGS = 50;

const EVERYTHING_ON = [
  { name: 'requests', what: 'requests', per: 'key', models: ['*'], window: '60s', max: 1_000_000_000 },
  { name: 'tokens', what: 'tokens', per: 'key', models: ['*'], window: '60s', max: 1_000_000_000_000 },
  { name: 'monthly', what: 'cost', per: 'tenant', models: ['*'], window: 'month', max: '1000000' },
  { name: 'at-once', what: 'concurrency', per: 'key', models: ['*'], max: 100_000 },
];
const price = { input: '0.15', output: '0.60', cached_input: '0.075' };

/** Why Tollgate cannot be measured here, or null when it can. */
export function missing() {
  return existsSync(`${BUILD}index.js`) ? null : 'build/index.js is missing (make build)';
}

/** Bytes of the build's wasm, gzipped as Cloudflare counts it; null without a build. */
export function wasmBytes() {
  if (!existsSync(BUILD)) return null;
  const files = readdirSync(BUILD, { recursive: true }).filter((name) => name.endsWith('.wasm'));
  return files.length === 0 ? null : files.reduce((sum, name) => sum + gzipSync(readFileSync(BUILD + name), { level: 9 }).length, 0);
}

/** Starts the built Worker on `state` and gives it a catalog, tenant `bench` and a key. */
export async function startTollgate({ upstream, state }) {
  const token = randomBytes(24).toString('hex');
  const secrets = { ADMIN_TOKEN: token, API_KEYS_SECRET: randomBytes(32).toString('hex'), ANTHROPIC_API_KEY: 'a-key-of-the-bench' };
  const gateway = await startGateway({ state, secrets });
  const admin = (method, path, body) => ask(`${gateway.url}/admin/v1${path}`, method, token, body);
  const target = (model) => ({ targets: [{ provider: 'scripted', model }] });
  await admin('PUT', '/catalog', {
    providers: {
      scripted: { dialect: 'openai', base_url: `${upstream}/v1` }, anthropic: { base_url: `${upstream}/v1` },
    },
    models: {
      bench: target('c10'), 'bench-stream': target(`c${CHUNKS}`),
      'bench-translated': { targets: [{ provider: 'anthropic', model: `c${CHUNKS}` }] },
    },
    prices: { 'scripted/c10': price, [`scripted/c${CHUNKS}`]: price, 'anthropic/*': price },
  });
  const tenant = async (id, limits) => {
    await admin('POST', '/tenants', { id, policy: { limits, models: ['*'] } });
    return (await admin('POST', `/tenants/${id}/keys`, { name: 'b' })).key;
  };
  return {
    name: 'tollgate', label: 'Tollgate, everything on', url: gateway.url, model: 'bench', streamModel: 'bench-stream',
    translatedModel: 'bench-translated',
    key: await tenant('bench', EVERYTHING_ON),
    pid: gateway.workerdPid,
    metrics: () => settledMetrics(() => admin('GET', '/tenants/bench/metrics')),
    limitedKey: (id, max) => tenant(id, [{ name: 'rpm', what: 'requests', per: 'key', models: ['*'], window: '60s', max }]),
    stop: () => gateway.stop(),
  };
}

async function ask(url, method, token, body) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  const json = response.headers.get('content-type')?.startsWith('application/json');
  if (!response.ok || (text !== '' && !json)) throw new Error(`${method} ${new URL(url).pathname} was answered with ${response.status} ${text}`);
  return json ? JSON.parse(text) : null;
}

const COUNTERS = ['rows_written', 'object_requests', 'd1_reads', 'calls'];
const difference = (after, before) => Object.fromEntries(COUNTERS.map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)]));

/** The counters once nothing moves them but the reading itself, and what `readings` readings added to them meanwhile. */
async function settledMetrics(read) {
  let last = await read();
  let step = null;
  for (let readings = 1; readings <= SETTLED_READINGS; readings += 1) {
    await pause(SETTLED_MS);
    const now = await read();
    const moved = difference(now, last);
    const settled = step !== null && COUNTERS.every((name) => moved[name] === step[name]);
    if (settled) return { counters: now, readings, reading: moved };
    step = moved;
    last = now;
  }
  throw new Error('the counters of the tenant do not come to rest');
}

/** What `calls` calls between two settled readings added to each counter, per call, without what the readings added. */
export function perCall(before, after, calls) {
  const added = difference(after.counters, before.counters);
  return Object.fromEntries(COUNTERS.map((name) => [name, (added[name] - (after.readings + 1) * after.reading[name]) / calls]));
}
