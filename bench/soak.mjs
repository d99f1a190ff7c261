#!/usr/bin/env node
// The soak: mixed traffic with faults for many minutes, and then the proof that nothing is left behind: no holds, no difference between
// ledger, usage and metrics, no growth of workerd's memory. Exit status 1 when anything is.

import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { gatewayWorker } from '../scripts/lib/gateway.mjs';
import { eventually, startWorld } from '../tests/workerd/support.mjs';
import { ledgerOf, memoryVerdicts, openHolds, sumVerdicts } from './soak/checks.mjs';
import { inspect } from './soak/memory.mjs';
import { Traffic, catalogOf } from './soak/traffic.mjs';
import { ROOMY, Trouble, warm } from './soak/trouble.mjs';

const HELP = `usage: node bench/soak.mjs [--minutes N] [--connections N] [--seed N]

  --minutes N      how long (30)
  --connections N  how many calls at once (16)
  --seed N         which calls

Two tenants share the calls. "steady" is let alone; the other one's policy is edited, its keys are revoked and its object is evicted all the
time. Providers fail, cut, stall, hang and keep their usage to themselves; clients leave.
`;
const SAMPLE_MS = 3_000;
const QUIET_MS = 180_000; // leases are 5 s; a lost end waits for one, and late ends are still read
const STEADY_SHARE = 6; // of ten calls
const REFUSED = [429, 401]; // by an edited limit, by a revoked key
const startedAt = Date.now();
const say = (text) => process.stdout.write(`[${String(Math.round((Date.now() - startedAt) / 1e3)).padStart(4)} s] ${text}\n`);

/** Drives the traffic for so long; the memory of workerd, every few seconds. */
async function soak({ world, tenants, traffic, memory }, minutes) {
  const samples = [];
  let dead = false;
  world.gateway.exited.then(() => { dead = true; });
  const began = Date.now();
  const until = began + minutes * 60_000;
  for (let minute = 1, before = 0; Date.now() < until;) {
    await pause(SAMPLE_MS);
    if (dead) throw new Error('workerd ended by itself');
    samples.push(await memory.sample());
    if (Date.now() - began < minute * 60_000) continue;
    const open = tenants.map(openHolds).reduce((sum, number) => sum + number, 0);
    const { resident, heap } = samples.at(-1);
    say(`${traffic.answered} calls (${((traffic.answered - before) / 60).toFixed(0)}/s), ${count(traffic.odd)} unexplained, workerd ${resident.toFixed(0)} MB, ` +
      `its heap ${heap.toFixed(1)} MB, ${open} open holds`);
    before = traffic.answered;
    minute += 1;
  }
  return samples;
}

const count = (tally) => Object.values(tally).reduce((sum, number) => sum + number, 0);

/** What a tenant's ledger and usage say once they have come to rest. */
function rest(tenant) {
  return eventually(`${tenant.id} comes to rest`, async () => {
    const before = ledgerOf(tenant);
    const usage = await tenant.usage();
    const metrics = await tenant.metrics(); // asking keeps the object in memory, and so its counters
    const ledger = ledgerOf(tenant);
    const isQuiet = ledger.open === 0 && Object.keys(ledger).every((name) => ledger[name] === before[name]);
    return isQuiet && { ledger, usage, metrics };
  }, QUIET_MS);
}

/** Every row, and every attempt that was answered for, is one that the provider saw. */
function attemptVerdict(ledgers, seen) {
  const attempts = ledgers.reduce((sum, ledger) => sum + ledger.attempts, 0);
  const unknown = ledgers.reduce((sum, ledger) => sum + ledger.expired, 0); // by their lease: nobody told what they tried
  const ok = attempts <= seen && seen <= attempts + 2 * unknown;
  return { name: 'the provider saw the attempts that the ledger tells of', ok, told: `${seen} and ${attempts}; ${unknown} calls ended by their lease alone` };
}

async function verdictsOf({ world, tenants, steady, traffic, samples }) {
  const all = await Promise.all(tenants.map(rest));
  const verdicts = tenants.flatMap((tenant, nth) => sumVerdicts(tenant, all[nth].ledger, all[nth].usage));
  const { ledger, metrics } = all[tenants.indexOf(steady)];
  verdicts.push({ name: `${steady.id}: the object's counters are the ledger's`, ok: metrics.calls === ledger.calls, told: `${metrics.calls} and ${ledger.calls} calls` });
  verdicts.push(attemptVerdict(all.map((one) => one.ledger), world.provider.stats().requests));
  const odd = Object.entries(traffic.odd).map(([what, times]) => `${what} (${times})`);
  verdicts.push({ name: 'every answer is one that the script explains', ok: odd.length === 0, told: odd.join(', ') || `${traffic.answered} calls` });
  verdicts.push(...memoryVerdicts(samples));
  return { verdicts, rows: metrics.rows_written / metrics.calls };
}

/** Twenty of many values. */
function seriesOf(values, digits) {
  const step = Math.max(1, Math.ceil(values.length / 20));
  return values.filter((_, at) => at % step === 0).map((mb) => mb.toFixed(digits)).join(' ');
}

async function main({ minutes, connections, seed }) {
  say(`${minutes} min at ${connections} connections, seed ${seed}`);
  const world = await startWorld({ gateway: { worker: { ...(await gatewayWorker()), inspectorPort: 0 } } });
  try {
    const memory = await inspect(await world.gateway.miniflare.getInspectorURL(), world.gateway.workerdPid);
    await world.admin('PUT', '/catalog', catalogOf(world.provider.url));
    const [steady, troubled] = [await world.tenant('steady', ROOMY), await world.tenant('troubled', ROOMY)];
    const tenants = [steady, troubled];
    world.provider.quiet();
    say('editing a policy until the D1 simulator is warm (half a minute)');
    await warm(world, troubled);
    const trouble = new Trouble(world, troubled);
    const callers = (random) => {
      if (random(10) < STEADY_SHARE) return { key: steady.key, mayBe: [] };
      return { key: random(4) === 0 && trouble.spare ? trouble.spare.key : troubled.key, mayBe: REFUSED };
    };
    const traffic = new Traffic(world.url, callers, { seed, connections });
    const samples = await soak({ world, tenants, traffic, memory }, minutes);
    await trouble.stop();
    await traffic.stop();
    memory.close();
    say('the traffic has ended; waiting for the last leases');
    const { verdicts, rows } = await verdictsOf({ world, tenants, steady, traffic, samples });
    say('at rest');
    const told = { ...trouble.tally, statuses: traffic.statuses, 'rows written a call': Number(rows.toFixed(2)), 'errors logged': world.logs.length };
    const lines = [
      '', `${traffic.answered} calls: ${JSON.stringify(told)}`, `resident memory of workerd (MB): ${seriesOf(samples.map(({ resident }) => resident), 0)}`,
      `heap of its isolate (MB):        ${seriesOf(samples.map(({ heap }) => heap), 1)}`,
      ...new Set(world.logs.map((line) => `logged: ${line.slice(0, 200)}`).slice(0, 20)), '',
      ...verdicts.map(({ name, ok, told: text }) => `${ok ? 'ok    ' : 'FAILED'} ${name.padEnd(58)} ${text}`),
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
    return verdicts.every(({ ok }) => ok) ? 0 : 1;
  } finally {
    await world.stop();
  }
}

const { values: options } = parseArgs({ options: {
  minutes: { type: 'string', default: '30' }, connections: { type: 'string', default: '16' }, seed: { type: 'string', default: '1' },
  help: { type: 'boolean', short: 'h' },
} });
if (options.help) process.stdout.write(HELP);
else {
  const numbers = Object.fromEntries(['minutes', 'connections', 'seed'].map((name) => [name, Number(options[name])]));
  const wrong = Object.keys(numbers).find((name) => !(numbers[name] > 0));
  if (wrong) {
    process.stderr.write(`--${wrong} must be a number above 0; got ${options[wrong]}\n`);
    process.exit(2);
  }
  process.exit(await main(numbers).catch((error) => {
    process.stderr.write(`the soak failed: ${error.stack}\n`);
    return 1;
  }));
}
