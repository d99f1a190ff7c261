#!/usr/bin/env node
// The soak: mixed traffic with all edges for many minutes, and then the proof that every bill is exact or within its bounds, and that nothing is
// left behind: no holds, no difference between ledger, usage and metrics, no growth of workerd's memory. Exit status 1 when anything is.

import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { gatewayWorker } from '../scripts/lib/gateway.mjs';
import { SECRETS, eventually, startWorld } from '../tests/workerd/support.mjs';
import { answerVerdicts, budgetVerdicts, ledgerOf, memoryVerdicts, openHolds, sumVerdicts } from './soak/checks.mjs';
import { startEdges } from './soak/edges.mjs';
import { SECRET, catalogOf } from './soak/kinds.mjs';
import { inspect, peakMb } from './soak/memory.mjs';
import { Seen, Witness, moneyVerdicts } from './soak/money.mjs';
import { Traffic } from './soak/traffic.mjs';
import { ROOMY, STEADY, Trouble, WARMING_EDITS, warm } from './soak/trouble.mjs';

const HELP = `usage: node bench/soak.mjs [--minutes N] [--connections N] [--seed N] [--warming N]

  --minutes N      how long (30)
  --connections N  how many calls at once (16)
  --seed N         which calls
  --warming N      edits of a policy before, until the local D1 has its full size (4000)

Two tenants share the calls. "steady" is let alone; the other one's policy is edited, its keys are revoked and its object is evicted all the
time. Most calls are ordinary. The others are all edges: providers fail, hang, fall silent before the head, after it and amid a stream, reset
the connection after the head and after each of the first events, begin with an error or with nothing, keep their usage to themselves or tell
one that cannot be true; responses run in the background, and are looked at until their end, too late, or never; native calls; requests of up
to 16 MiB and answers of tens of MiB; clients that read slowly, stop reading, repeat a call by its Idempotency-Key, or leave at any time.

Then, at rest: the providers' records, the ledger's rows and what clients saw are joined by the call. For every call of "steady" a usage that was
told is billed to the nano-dollar; what was sent and not told costs what was seen at the least and what was held at the most, and never nothing
unless it was refused; what was not sent is free. No answer is a 500 of the gateway's, and what the isolate holds stays within its budget. The
first wrong bills are printed in full. The exit status is 1 when a verdict fails.
`;
const SAMPLE_MS = 3_000;
const QUIET_MS = 300_000; // a stream that its client left amid a silence is cut after 120 to 240 s; a lost end waits for its lease
const REST_MS = 500; // between two looks: usage may be asked for 600 times a minute
const EMPTY_MS = 45_000; // a call whose client has left is read on for up to 25 s
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

/** What a tenant's ledger and usage say once they have come to rest, or as they are when they have not for so long. */
async function rest(tenant) {
  let last;
  const isQuiet = async () => {
    const before = ledgerOf(tenant);
    await pause(REST_MS);
    const usage = await tenant.usage();
    const metrics = await tenant.metrics(); // asking keeps the object in memory, and so its counters
    const ledger = ledgerOf(tenant);
    last = { ledger, usage, metrics };
    return ledger.open === 0 && Object.keys(ledger).every((name) => ledger[name] === before[name]);
  };
  await eventually(`${tenant.id} comes to rest`, isQuiet, QUIET_MS).catch((error) => say(`${error.message}: ${last.ledger.open} calls are open`));
  return last;
}

/** Every row, and every attempt that was answered for, is one that the provider saw. */
function attemptVerdict(ledgers, seen, { nameless, kinds: { unsent = 0 } }) {
  const attempts = ledgers.reduce((sum, ledger) => sum + ledger.attempts, 0);
  const unknown = ledgers.reduce((sum, ledger) => sum + ledger.expired, 0) + nameless; // by their lease, or left: nobody told what they tried
  const ok = attempts - nameless - unsent <= seen && seen <= attempts + 2 * unknown;
  return { name: 'the providers saw the attempts that the ledger tells of', ok, told: `${seen} and ${attempts}; ${unsent} found nobody, of ${unknown} nobody told` };
}

/** The metrics of a tenant once its isolate holds nothing, or as they are after a while. */
async function emptied(tenant) {
  const isEmpty = async () => {
    const metrics = await tenant.metrics();
    return metrics.isolate_bytes === 0 && metrics;
  };
  return eventually('the isolate holds nothing', isEmpty, EMPTY_MS).catch(() => tenant.metrics());
}

async function verdictsOf({ world, edges, tenants, steady, witness, seen, traffic, samples }) {
  const all = await Promise.all(tenants.map(rest));
  const verdicts = tenants.flatMap((tenant, nth) => sumVerdicts(tenant, all[nth].ledger, all[nth].usage));
  const { ledger, metrics } = all[tenants.indexOf(steady)];
  verdicts.push({ name: `${steady.id}: the object's counters are the ledger's`, ok: metrics.calls === ledger.calls, told: `${metrics.calls} and ${ledger.calls} calls` });
  verdicts.push(attemptVerdict(all.map((one) => one.ledger), world.provider.stats().requests + edges.stats.requests, traffic));
  verdicts.push(...moneyVerdicts(steady, tenants.filter((tenant) => tenant !== steady), witness, seen, say));
  verdicts.push(...answerVerdicts(traffic, world.logs));
  verdicts.push(...budgetVerdicts(await emptied(steady)), ...memoryVerdicts(samples));
  return { verdicts, rows: metrics.rows_written / metrics.calls };
}

/** Twenty of many values. */
function seriesOf(values, digits) {
  const step = Math.max(1, Math.ceil(values.length / 20));
  return values.filter((_, at) => at % step === 0).map((mb) => mb.toFixed(digits)).join(' ');
}

/** What a soak came to, in lines. */
function report({ world, traffic, trouble, samples, rows, verdicts, peak }) {
  const told = { ...trouble.tally, statuses: traffic.statuses, 'rows written a call': Number(rows.toFixed(2)), 'errors logged': world.logs.length };
  return [
    '', `${traffic.answered} calls: ${JSON.stringify(told)}`, `by kind: ${JSON.stringify(traffic.kinds)}`,
    `resident memory of workerd (MB): ${seriesOf(samples.map(({ resident }) => resident), 0)}; ${peak.toFixed(0)} at most`,
    `heap of its isolate (MB):        ${seriesOf(samples.map(({ heap }) => heap), 1)}`,
    ...Object.entries(traffic.samples).map(([what, sample]) => `unexplained: ${what}: ${sample}`),
    ...new Set(world.logs.map((line) => `logged: ${line.slice(0, 200)}`).slice(0, 20)), '',
    ...verdicts.map(({ name, ok, told: text }) => `${ok ? 'ok    ' : 'FAILED'} ${name.padEnd(58)} ${text}`), '',
  ].join('\n');
}

async function main({ minutes, connections, seed, warming }) {
  say(`${minutes} min at ${connections} connections, seed ${seed}`);
  const witness = new Witness();
  const onEnd = (record) => witness.saw(record);
  const edges = await startEdges({ onEnd });
  const gateway = { worker: { ...(await gatewayWorker()), inspectorPort: 0 }, secrets: { ...SECRETS, [SECRET.name]: SECRET.value } };
  const world = await startWorld({ gateway, provider: { onEnd } });
  try {
    const memory = await inspect(await world.gateway.miniflare.getInspectorURL(), world.gateway.workerdPid);
    await world.admin('PUT', '/catalog', catalogOf(world.provider.url, edges.url));
    const [steady, troubled] = [await world.tenant('steady', STEADY), await world.tenant('troubled', ROOMY)];
    const tenants = [steady, troubled];
    world.provider.quiet();
    say(`editing a policy ${warming} times until the D1 simulator is warm`);
    await warm(world, troubled, warming);
    const trouble = new Trouble(world, troubled);
    const [seen, ofOthers] = [new Seen(), new Seen()];
    const callers = (random) => {
      if (random(10) < STEADY_SHARE) return { key: steady.key, mayBe: [], seen };
      return { key: random(4) === 0 && trouble.spare ? trouble.spare.key : troubled.key, mayBe: REFUSED, seen: ofOthers };
    };
    const traffic = new Traffic(world.url, callers, { seed, connections });
    const samples = await soak({ world, tenants, traffic, memory }, minutes);
    await trouble.stop();
    await traffic.stop();
    memory.close();
    const peak = peakMb(world.gateway.workerdPid);
    say('the traffic has ended; waiting for the last leases');
    const { verdicts, rows } = await verdictsOf({ world, edges, tenants, steady, witness, seen, traffic, samples });
    say('at rest');
    process.stdout.write(report({ world, traffic, trouble, samples, rows, verdicts, peak }));
    return verdicts.every(({ ok }) => ok) ? 0 : 1;
  } finally {
    await world.stop();
    await edges.stop();
  }
}

const { values: options } = parseArgs({ options: {
  minutes: { type: 'string', default: '30' }, connections: { type: 'string', default: '16' }, seed: { type: 'string', default: '1' },
  warming: { type: 'string', default: String(WARMING_EDITS) },
  help: { type: 'boolean', short: 'h' },
} });
if (options.help) process.stdout.write(HELP);
else {
  const numbers = Object.fromEntries(['minutes', 'connections', 'seed', 'warming'].map((name) => [name, Number(options[name])]));
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
