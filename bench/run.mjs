#!/usr/bin/env node
// The bench: Tollgate beside its floors on this machine, in one interleaved run, every load preceded by the same load straight at the provider.
// Compare ratios and CPU per call, never absolute times of two runs.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HELP = `usage: node bench/run.mjs [--quick] [--rounds N] [--only NAMES] [--no-race] [--json FILE]

  --quick       about a minute instead of about five
  --rounds N    rounds of every target (5; quick 3); figures are medians over rounds
  --only NAMES  some of empty,proxy,reads,sqlite,kv,tollgate
  --no-race     without the admission race
  --json FILE   also write every figure of every round

Needs: npm ci, and for Tollgate itself a build (make build). Exit status 1 when a target is missed.
`;
const OPTIONS = {
  quick: { type: 'boolean' }, rounds: { type: 'string' }, only: { type: 'string' }, 'no-race': { type: 'boolean' },
  json: { type: 'string' }, help: { type: 'boolean', short: 'h' },
};
const NODE_MIN = 22;
const PHASES_OF = { empty: ['full', 'idle', 'few'], reads: ['full', 'stream'], kv: ['full'] };

const startedAt = Date.now();
const say = (text) => process.stderr.write(`[${((Date.now() - startedAt) / 1e3).toFixed(0).padStart(3)} s] ${text}\n`);

/** Miniflare needs a newer Node than some machines have; the project's packages bring one. */
function withNewerNode() {
  if (Number(process.versions.node.split('.')[0]) >= NODE_MIN) return null;
  const newer = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));
  if (!existsSync(newer)) throw new Error(`Node ${NODE_MIN} or later is needed: npm ci brings it`);
  return spawnSync(newer, process.argv.slice(1), { stdio: 'inherit' }).status ?? 1;
}

async function startTargets(targets, names, { upstream, state }) {
  const { startFloor, FLOORS } = await import('./floors.mjs');
  const { startTollgate, missing } = await import('./tollgate.mjs');
  for (const name of names) {
    const absent = name === 'tollgate' ? missing() : null;
    if (absent) {
      say(`tollgate is left out: ${absent}`);
      continue;
    }
    const options = { upstream, state: join(state, name), limit: 1e9 };
    targets.push(await (FLOORS[name] ? startFloor(name, options) : startTollgate(options)));
  }
}

/** One phase on one target: the same load straight at the provider, then through the target. */
async function runPhase({ loader, straight, measure, jobFor, PHASES, perCall }, target, phase, unit) {
  const seconds = PHASES[phase].share * unit;
  const base = await loader.load(jobFor(straight, phase, seconds / 2));
  const counting = target.metrics && ['full', 'idle'].includes(phase);
  const before = counting ? await target.metrics() : null;
  const result = await measure(loader, target, jobFor(target, phase, seconds));
  const counts = counting ? perCall(before, await target.metrics(), result.count) : null;
  return { ...result, straight: base, counts };
}

async function runRounds(tools, targets, { rounds, unit }) {
  const figures = Object.fromEntries(targets.map(({ name }) => [name, []]));
  const isFor = ({ translatedModel }) => (phase) => translatedModel !== undefined || !tools.PHASES[phase].translated;
  const phasesOf = (target) => PHASES_OF[target.name] ?? Object.keys(tools.PHASES).filter(isFor(target));
  for (const target of targets) {
    for (const phase of phasesOf(target)) await tools.measure(tools.loader, target, tools.jobFor(target, phase, unit / 2));
  }
  say('warm');
  for (let round = 1; round <= rounds; round += 1) {
    for (const target of targets) {
      const result = {};
      for (const phase of phasesOf(target)) result[phase] = await runPhase(tools, target, phase, unit);
      figures[target.name].push(result);
      const { full, idle, stream, translated } = result;
      const said = [`${full.perSecond.toFixed(0)} calls/s`, `${full.cpu.toFixed(0)} µs CPU a call`];
      if (idle) said.push(`p50 alone ${idle.latency.p50.toFixed(0)} µs (straight ${idle.straight.latency.p50.toFixed(0)})`);
      if (stream) said.push(`${stream.cpuPerEvent.toFixed(2)} µs CPU a chunk`);
      if (translated) said.push(`${translated.cpuPerEvent.toFixed(2)} µs translated`);
      say(`round ${round}/${rounds} ${target.name}: ${said.join(', ')}`);
    }
  }
  return figures;
}

function print({ summaries, raced, figures, wasm, race, report }) {
  const all = report.verdicts(summaries, wasm);
  const lines = ['', report.table(summaries), ''];
  const { tollgate } = summaries;
  if (tollgate?.fullCounts) {
    const told = ({ rows_written: rows, object_requests: requests, d1_reads: reads }) =>
      `${rows.toFixed(2)} rows, ${requests.toFixed(2)} object requests, ${reads.toFixed(2)} D1 reads`;
    lines.push(`Tollgate per call: alone ${told(tollgate.idleCounts)}; at 64 ${told(tollgate.fullCounts)}`, '');
  }
  if (raced) {
    const { lines: told, verdicts } = report.raceLines(raced, race.RACERS, race.LIMIT);
    lines.push(...told, '');
    all.push(...verdicts);
  }
  const loaders = Object.values(figures).flat().map(({ full }) => full.loaderMicros);
  const spent = loaders.length > 0 ? `${Math.min(...loaders).toFixed(0)} to ${Math.max(...loaders).toFixed(0)}` : 'no';
  lines.push(`The load generator itself spent ${spent} µs of CPU a call, in its own process.`);
  lines.push('Targets', ...all.map(report.verdictLine));
  process.stdout.write(`${lines.join('\n')}\n`);
  return all.some(({ ok }) => ok === false) ? 1 : 0;
}

async function main(options) {
  const tools = { ...(await import('./measure.mjs')), perCall: (await import('./tollgate.mjs')).perCall };
  const report = await import('./report.mjs');
  const race = await import('./race.mjs');
  const { wasmBytes } = await import('./tollgate.mjs');
  const state = mkdtempSync(join(tmpdir(), 'tollgate-bench-'));
  const provider = await tools.spawnProvider();
  const loader = tools.spawnLoader();
  const targets = [];
  try {
    const names = options.only?.split(',') ?? ['empty', 'proxy', 'reads', 'sqlite', 'kv', 'tollgate'];
    await startTargets(targets, names, { upstream: provider.url, state });
    say(`started ${targets.map(({ name }) => name).join(', ')}`);
    const straight = { name: 'provider', url: provider.url, pid: provider.pid };
    const pace = { rounds: Number(options.rounds ?? (options.quick ? 3 : 5)), unit: options.quick ? 0.2 : 1 };
    const figures = await runRounds({ ...tools, loader, straight }, targets, pace);
    const tollgate = targets.find(({ name }) => name === 'tollgate');
    const raced = options['no-race'] ? null : await race.race({ loader, provider, tollgate, state, bursts: options.quick ? 1 : 3, say });
    const summaries = Object.fromEntries(targets.map(({ name, label }) => [name, { label, ...report.summarize(figures[name]) }]));
    const wasm = wasmBytes();
    if (options.json) writeFileSync(options.json, JSON.stringify({ summaries, wasm, raced, figures }, null, 1));
    return print({ summaries, raced, figures, wasm, race, report });
  } finally {
    await Promise.allSettled(targets.map((target) => target.stop()));
    loader.stop();
    provider.stop();
    rmSync(state, { recursive: true, force: true });
  }
}

const { values: options } = parseArgs({ options: OPTIONS });
if (options.help) process.stdout.write(HELP);
else {
  const status = withNewerNode() ?? (await main(options).catch((error) => {
    say(`failed: ${error.message}`);
    return 1;
  }));
  process.exit(status); // a gateway that failed half-way through its set-up is not waited for
}
