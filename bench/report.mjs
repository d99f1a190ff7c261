// Rounds of measurements -> one table and the verdicts. Pure: figures in, text out.

import { median } from './measure.mjs';

/** The medians over the rounds of one target; `added` is over the straight load that preceded each. */
export function summarize(rounds) {
  const over = (pick) => median(rounds.map((round) => pick(round) ?? null));
  const added = (phase) => over((round) => round[phase] && round[phase].latency.p50 - round[phase].straight.latency.p50);
  return {
    perSecond: over(({ full }) => full.perSecond),
    cpu: over(({ full }) => full.cpu),
    p50: over(({ full }) => full.latency.p50),
    p99: over(({ full }) => full.latency.p99),
    addedIdle: added('idle'),
    addedFew: added('few'),
    cpuPerChunk: over(({ stream }) => stream?.cpuPerEvent),
    cpuPerTranslated: over(({ translated }) => translated?.cpuPerEvent),
    chunksPerSecond: over(({ stream }) => stream && stream.events / stream.seconds),
    firstByte: over(({ stream }) => stream?.first.p50),
    idleCounts: counts(rounds, 'idle'),
    fullCounts: counts(rounds, 'full'),
  };
}

function counts(rounds, phase) {
  if (!rounds[0]?.[phase]?.counts) return null;
  return Object.fromEntries(Object.keys(rounds[0][phase].counts).map((name) => [name, median(rounds.map((round) => round[phase].counts[name]))]));
}

const number = (value, digits = 0) => (value === null || value === undefined ? '-' : value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, ','));
const ratio = (value, base) => (value && base ? `${(value / base).toFixed(2)}x` : '-');

const COLUMNS = [
  ['', ({ label }) => label],
  ['calls/s @64', ({ perSecond }) => number(perSecond)],
  ['CPU µs/call', ({ cpu }) => number(cpu)],
  ['/proxy', ({ cpu }, { proxy }) => ratio(cpu, proxy?.cpu)],
  ['/SQLite', ({ cpu }, { sqlite }) => ratio(cpu, sqlite?.cpu)],
  ['p50 ms @64', ({ p50 }) => number(p50 / 1e3, 1)],
  ['p99 ms @64', ({ p99 }) => number(p99 / 1e3, 1)],
  ['added µs @1', ({ addedIdle }) => number(addedIdle)],
  ['added µs @16', ({ addedFew }) => number(addedFew)],
  ['CPU µs/chunk', ({ cpuPerChunk }) => number(cpuPerChunk, 2)],
  ['/proxy', ({ cpuPerChunk }, { proxy }) => ratio(cpuPerChunk, proxy?.cpuPerChunk)],
  ['/sees', ({ cpuPerChunk }, { reads }) => ratio(cpuPerChunk, reads?.cpuPerChunk)],
  ['translated', ({ cpuPerTranslated }) => number(cpuPerTranslated, 2)],
  ['/proxy', ({ cpuPerTranslated }, { proxy }) => ratio(cpuPerTranslated, proxy?.cpuPerChunk)],
  ['/sees', ({ cpuPerTranslated }, { reads }) => ratio(cpuPerTranslated, reads?.cpuPerChunk)],
  ['first byte ms', ({ firstByte }) => number(firstByte === null ? null : firstByte / 1e3, 1)],
];

/** The table, one line per target. */
export function table(summaries) {
  const lines = [COLUMNS.map(([title]) => title), ...Object.values(summaries).map((summary) => COLUMNS.map(([, cell]) => cell(summary, summaries)))];
  const widths = COLUMNS.map((_, at) => Math.max(...lines.map((line) => line[at].length)));
  const align = (line) => line.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))).join('  ').trimEnd();
  return [align(lines[0]), widths.map((width) => '-'.repeat(width)).join('  '), ...lines.slice(1).map(align)].join('\n');
}

const ROUNDING = 0.005; // figures are judged as they are printed: an alarm among thousands of calls is no miss
const atMost = (what, value, limit, unit = '') => ({
  what, ok: value === null ? null : value < limit + ROUNDING, said: `${number(value, 2)}${unit}, target at most ${limit}${unit}`,
});

/** Whether Tollgate meets its targets: { what, ok, said }; `ok` is null where there was nothing to measure. */
export function verdicts(summaries, wasm) {
  const { tollgate, proxy, sqlite } = summaries;
  const said = [atMost('wasm, gzipped', wasm === null ? null : wasm / 1024, 400, ' KB')];
  if (!tollgate || !proxy || !sqlite) return said;
  const share = tollgate.cpu / proxy.cpu;
  const { idleCounts: idle, fullCounts: full } = tollgate;
  return [
    ...said,
    { ...atMost('CPU per call against the JS proxy', share, 2.5, 'x'), note: share <= 1.5 ? 'stretch of 1.5x met' : 'stretch of 1.5x not met' },
    {
      what: 'calls/s at 64 against the SQLite Worker', ok: tollgate.perSecond > sqlite.perSecond,
      said: `${number(tollgate.perSecond)} against ${number(sqlite.perSecond)}`,
    },
    ...chunkVerdicts(summaries),
    atMost('rows written per call, 1 connection', idle?.rows_written ?? null, 3),
    atMost('rows written per call, 64 connections', full?.rows_written ?? null, 2.2),
    atMost('object requests per call, 1 connection', idle?.object_requests ?? null, 2),
    atMost('object requests per call, 64 connections', full?.object_requests ?? null, 2),
    atMost('D1 reads per call', full?.d1_reads ?? null, 0),
  ];
}

/** What a chunk costs, against the proxy whose streams no JavaScript sees, and against the one that does no more than see them. */
function chunkVerdicts({ tollgate, proxy, reads }) {
  const share = (cost, floor) => (cost === null || !floor?.cpuPerChunk ? null : cost / floor.cpuPerChunk);
  return [['streamed', tollgate.cpuPerChunk, 1.5], ['translated', tollgate.cpuPerTranslated, 3]].flatMap(([kind, cost, limit]) => [
    atMost(`CPU per ${kind} chunk against the JS proxy`, share(cost, proxy), limit, 'x'),
    atMost(`CPU per ${kind} chunk against the JS proxy that sees each`, share(cost, reads), limit, 'x'),
  ]);
}

/** The race as verdicts: only Tollgate is held to it. */
export function raceLines(results, racers, limit) {
  const admitted = (name) => results[name].map((result) => result.admitted).join(', ');
  const exactly = results.tollgate ? `; Tollgate ${admitted('tollgate')}` : '';
  const lines = [
    `Admission race, ${number(racers)} requests at once against ${limit} per 60 s, admitted in each burst:`,
    `  KV tutorial Worker ${admitted('kv')}; SQLite Worker (a lifetime count) ${admitted('sqlite')}${exactly}`,
  ];
  if (!results.tollgate) return { lines, verdicts: [] };
  const exact = results.tollgate.every((result) => result.admitted === limit && result.reached === limit && result.other === 0);
  const tell = (burst) => `${burst.admitted} admitted, ${burst.refused} refused, ${burst.other} other, ${burst.reached} at the provider`;
  const said = results.tollgate.map(tell).join('; ');
  return { lines, verdicts: [{ what: `race admits exactly ${limit}`, ok: exact, said }] };
}

export function verdictLine({ what, ok, said, note }) {
  const word = ok === null ? 'n/a ' : ok ? 'ok  ' : 'MISS';
  return `  ${word}  ${what}: ${said}${note ? ` (${note})` : ''}`;
}
