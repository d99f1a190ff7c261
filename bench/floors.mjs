// The floors: plain JavaScript Workers, started just as the gateway is, to hold Tollgate against.

import { fileURLToPath } from 'node:url';
import { startGateway } from '../scripts/lib/gateway.mjs';

const KEY = 'bench-key';

/** The floors by name: what each is, and the bindings it needs beside UPSTREAM and LIMIT. */
export const FLOORS = {
  empty: { label: 'empty Worker' },
  proxy: { label: 'JS proxy Worker' },
  reads: { label: 'JS proxy that sees each chunk' },
  sqlite: { label: 'JS Worker, a SQLite write', bindings: { durableObjects: { COUNTER: { className: 'Counter', useSQLite: true } } } },
  kv: { label: 'KV tutorial Worker', bindings: { kvNamespaces: { KV: 'kv' } } },
};

/** Starts one floor; `limit` is what one key may do (per minute in KV, in all in SQLite). `state` is a folder of its own. */
export async function startFloor(name, { upstream, state, limit }) {
  const { label, bindings } = FLOORS[name];
  const main = fileURLToPath(new URL(`./floors/${name}.js`, import.meta.url));
  const floor = await startGateway({ state, vars: { UPSTREAM: upstream, LIMIT: String(limit) }, worker: { name, main, ...bindings } });
  if (name === 'kv') await (await floor.miniflare.getKVNamespace('KV', name)).put(`key:${KEY}`, String(limit));
  return { name, label, url: floor.url, key: KEY, pid: floor.workerdPid, stop: () => floor.stop() };
}
