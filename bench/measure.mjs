// One load on one target, measured: the answers as the client saw them, and the CPU that the target's process spent on them.

import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { cpuMicros } from './process.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const CALM_MS = 50;
const CALM_TRIES = 40;

/** The loads of a round, by name. `share` divides the round's time. */
export const PHASES = {
  full: { connections: 64, share: 3 },
  idle: { connections: 1, share: 1.5 },
  few: { connections: 16, share: 1.5 },
  stream: { connections: 16, share: 2, streamed: true },
  translated: { connections: 16, share: 2, streamed: true, translated: true },
};
/** So many that what a call costs besides is lost among them. */
export const CHUNKS = 1_000;

/** The scripted provider in a process of its own, not recording. */
export async function spawnProvider() {
  const child = spawn(process.execPath, [here('../tests/provider/main.mjs'), '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  process.once('exit', () => child.kill());
  const [line] = await once(createInterface(child.stdout), 'line');
  const url = line.replace('ready ', '');
  await fetch(`${url}/__quiet`, { method: 'POST', body: '{"quiet":true}' });
  const requests = async () => (await (await fetch(`${url}/__stats`)).json()).requests;
  return { url, pid: child.pid, requests, stop: () => child.kill() };
}

/** The load generator in a process of its own; `load(job)` answers with what load.mjs counted. */
export function spawnLoader() {
  const child = fork(here('./load.mjs'), { execArgv: ['--max-semi-space-size=32'] });
  const load = async (job) => {
    child.send(job);
    const [result] = await once(child, 'message');
    return result;
  };
  return { load, stop: () => child.disconnect() };
}

/** The job that puts `phase` on `target`; every target gets the same bytes but for the model's name. */
export function jobFor(target, phase, seconds) {
  const { connections, streamed = false, translated = false } = PHASES[phase];
  const own = translated ? target.translatedModel : streamed ? target.streamModel : target.model;
  const model = own ?? (streamed ? `c${CHUNKS}` : 'c10');
  const options = streamed ? { stream: true, stream_options: { include_usage: true } } : {};
  return {
    url: `${target.url}/v1/chat/completions`, connections, seconds,
    headers: { authorization: `Bearer ${target.key}` },
    body: { model, messages: [{ role: 'user', content: 'Say something short about exact counting.' }], max_tokens: 2 * CHUNKS, ...options },
  };
}

/** Waits until the process has stopped working, so that what it does after its answers is counted too. */
export async function calm(pid) {
  let before = cpuMicros(pid);
  for (let tries = 0; tries < CALM_TRIES; tries += 1) {
    await pause(CALM_MS);
    const now = cpuMicros(pid);
    if (now === before) return now;
    before = now;
  }
  return before;
}

/** Runs `job` against `target`; adds the CPU time of its process per answer and per event. */
export async function measure(loader, target, job) {
  const before = cpuMicros(target.pid);
  const result = await loader.load(job);
  const micros = (await calm(target.pid)) - before;
  const bad = Object.entries(result.statuses).filter(([status]) => status !== '200');
  if (bad.length > 0 || Object.keys(result.errors).length > 0) {
    throw new Error(`${target.name}: not every call was answered with 200: ${JSON.stringify({ ...result.statuses, ...result.errors })}`);
  }
  return { ...result, cpu: micros / result.count, cpuPerEvent: result.events > 0 ? micros / result.events : null };
}

export function median(values) {
  const sorted = values.filter((value) => value !== null && Number.isFinite(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
