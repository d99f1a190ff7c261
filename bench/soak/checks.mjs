// What must be true after a soak: nothing is held, all sums are equal, no answer is the gateway's own failure, and the memory of workerd stayed
// flat, what the isolate counts of it within its budget.

import { HELD_MAX } from '../../src/shell/memory.js';
import { median } from '../measure.mjs';

/**
 * Growth that is noise, of resident memory and of V8's heap: each object's SQLite fills its page cache once, and the allocator keeps what
 * a peak needed. A leak of 1 kB a call is above both after some ten minutes.
 */
const NOISE = { resident: { share: 0.1, mb: 20 }, heap: { share: 0.25, mb: 1 } };

/** What may come on top of the budget: what is there already before it can be counted. */
const ON_TOP = 8 * 1_024 * 1_024;
const MIB = 1_024 * 1_024;

/** What the ledger on disk adds up to. */
const LEDGER = `SELECT count(*) AS calls, sum(state = 'open') AS open, sum(state = 'expired') AS expired,
  sum(coalesce(status, 0) NOT BETWEEN 200 AND 299) AS failed, sum(input) AS input_tokens, sum(cached_input) AS cached_input_tokens,
  sum(output) AS output_tokens, sum(cost) AS cost, sum(attempts) AS attempts, count(DISTINCT call) AS names FROM calls`;

export const ledgerOf = (tenant) => tenant.rows(LEDGER)[0];

export const openHolds = (tenant) => tenant.rows("SELECT count(*) AS open FROM calls WHERE state = 'open'")[0].open;

/** Whether the sums in the ledger's rows, in GET /v1/usage and in the limits are the same: a list of { name, ok, told }. */
export function sumVerdicts(tenant, ledger, { limits, periods }) {
  const nano = (dollars) => Math.round(Number(dollars) * 1e9);
  const { total } = periods.lifetime;
  const names = ['calls', 'failed', 'input_tokens', 'cached_input_tokens', 'output_tokens'];
  const told = { ...Object.fromEntries(names.map((name) => [name, total[name]])), cost: nano(total.cost) };
  const differ = [...names, 'cost'].filter((name) => told[name] !== ledger[name]);
  const held = Object.values(limits).filter((limit) => Number(limit.held) !== 0);
  return [
    { name: `${tenant.id}: no call is open`, ok: ledger.open === 0, told: `${ledger.open} of ${ledger.calls}` },
    { name: `${tenant.id}: nothing is held`, ok: held.length === 0, told: held.map(({ name, held: amount }) => `${name} ${amount}`).join(', ') || 'nothing' },
    { name: `${tenant.id}: no call is in the ledger twice`, ok: ledger.names === ledger.calls, told: `${ledger.names} of ${ledger.calls}` },
    {
      name: `${tenant.id}: the ledger's rows add up to the usage`, ok: differ.length === 0,
      told: differ.map((name) => `${name}: ${ledger[name]} in rows, ${told[name]} in usage`).join('; ') || `${ledger.calls} calls, ${ledger.cost} nano-USD`,
    },
    {
      name: `${tenant.id}: the budget's count is the ledger's sum`, ok: nano(limits.cost.used) === ledger.cost,
      told: `${nano(limits.cost.used)} and ${ledger.cost}`,
    },
  ];
}

/** Whether memory stayed flat: the median of the last fifth of `samples` (MB) against that of the second, when caches are warm. */
export function memoryVerdicts(samples) {
  return Object.entries(NOISE).map(([what, { share, mb }]) => {
    const values = samples.map((sample) => sample[what]);
    const fifth = (nth) => median(values.slice(Math.floor((values.length * nth) / 5), Math.floor((values.length * (nth + 1)) / 5)));
    const [early, late] = [fifth(1), fifth(4)];
    const most = early + Math.max(mb, early * share);
    const told = `median ${early?.toFixed(1)} MB in the second fifth, ${late?.toFixed(1)} in the last (at most ${most.toFixed(1)})`;
    return { name: `${what === 'heap' ? "V8's heap" : 'resident memory'} of workerd is flat`, ok: early !== null && late !== null && late <= most, told };
  });
}

/** Whether what the isolate held by its own count stayed within its budget, and is nothing now: `metrics` are those of any object. */
export function budgetVerdicts({ isolate_bytes: held, isolate_bytes_peak: peak }) {
  const most = HELD_MAX + ON_TOP;
  return [
    { name: 'what the isolate holds is within its budget', ok: peak <= most, told: `${(peak / MIB).toFixed(1)} MiB at most (of ${most / MIB})` },
    { name: 'the isolate holds nothing at rest', ok: held === 0, told: `${held} bytes` },
  ];
}

/** Whether nothing was answered but what the script explains, and nothing failed in the gateway itself. */
export function answerVerdicts({ odd, statuses, fives, answered }, logs) {
  const strange = Object.entries(odd).map(([what, times]) => `${what} (${times})`);
  const failures = logs.filter((line) => /error of the gateway/.test(line));
  return [
    { name: 'every answer is one that the script explains', ok: strange.length === 0, told: strange.join(', ') || `${answered} calls` },
    {
      name: 'no 500 is the gateway\'s', ok: fives === 0 && failures.length === 0,
      told: failures.length > 0 ? `${failures.length} logged: ${failures[0].slice(0, 200)}` : `${fives} of ${statuses[500] ?? 0} are not what a provider said`,
    },
  ];
}
