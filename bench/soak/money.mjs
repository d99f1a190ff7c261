// The money of a soak: the providers' records, the ledger's rows and what clients saw are joined by the call's name, and each row is held
// against them. What was sent has a row, what was never sent costs nothing, and a call that was given another's answer has none.

import { KINDS } from './kinds.mjs';
import { wrongOf } from './rules.mjs';

const PAGE = 20_000;
const SHOWN = 10;
const TRUTHS = ['reported', 'counted', 'estimated', 'bounded', 'ceiling'];

/** What the providers recorded, by call: its attempts in the order in which they began, as far as one provider saw them. */
export class Witness {
  attempts = new Map();

  /** Takes a record when its call is over; of the scripted provider's only what is needed is kept. */
  saw(record) {
    if (record.call === null) return;
    const kept = 'seq' in record ? compact(record) : record;
    const before = this.attempts.get(record.call);
    if (before) before.splice(before.filter(({ seq }) => seq < kept.seq).length, 0, kept);
    else this.attempts.set(record.call, [kept]);
  }
}

function compact({ call, seq, model, status, chunks, completed, usage, prompt_tokens, completion_tokens }) {
  const cached = usage?.prompt_tokens_details?.cached_tokens ?? 0;
  const told = usage ? { prompt_tokens, completion_tokens, prompt_tokens_details: { cached_tokens: cached } } : null;
  return { call, seq, model, status, chunks, completed, usage: told };
}

/** What clients saw of the calls of one tenant. */
export class Seen {
  calls = new Map();
  /** Those that left before they knew the name. */
  nameless = 0;

  saw(kind, { call, status, pieces, left, original }) {
    if (call === null) this.nameless += 1;
    else this.calls.set(call, { kind, status, pieces, left, original });
  }
}

/** All rows of a tenant's ledger, a page at a time. */
function* rowsOf(tenant) {
  for (let at = -1; ;) {
    const page = tenant.rows(`SELECT * FROM calls WHERE at > ${at} ORDER BY at LIMIT ${PAGE}`);
    yield* page;
    if (page.length < PAGE) return;
    at = page.at(-1).at;
  }
}

/** Holds `rows` against what providers and clients saw: { calls, truths, exact, wrong, unsent, runs }. */
export function audit(rows, attempts, { calls, nameless }) {
  const found = { calls: 0, truths: Object.fromEntries(TRUTHS.map((truth) => [truth, 0])), exact: 0, unsent: 0, unseen: 0, runs: 0, wrong: [] };
  const names = new Set();
  for (const row of rows) {
    names.add(row.call);
    const [sent, seen] = [attempts.get(row.call) ?? [], calls.get(row.call)];
    const wrong = wrongOf(row, sent, seen);
    if (wrong !== null) found.wrong.push({ wrong, row, attempts: sent, seen });
    found.calls += 1;
    found.truths[row.truth] = (found.truths[row.truth] ?? 0) + 1;
    if (row.truth === 'reported' && row.cost > 0) found.exact += 1;
    if (sent.length === 0) found.unsent += 1;
    if (seen === undefined) found.unseen += 1;
    if (KINDS[row.model]?.bill === 'run' && row.cost > 0) found.runs += 1;
  }
  if (found.unseen > nameless) found.wrong.push({ wrong: `${found.unseen} rows are of no client's call; ${nameless} clients left without its name` });
  for (const [call, seen] of calls) {
    if (seen.original !== null && names.has(call)) found.wrong.push({ wrong: 'it was given another answer, and must have no row', call, seen });
    if (seen.original === null && seen.status === 200 && !names.has(call)) found.wrong.push({ wrong: 'it was answered, and must have a row', call, seen });
  }
  return { ...found, names };
}

/** Of the first few kinds of what is wrong: how often, and the first one in full. */
function printWrong(wrong, print) {
  const groups = Object.groupBy(wrong, (one) => `${one.seen?.kind ?? one.row?.model}, ${one.row?.truth}: ${one.wrong}`);
  for (const [what, all] of Object.entries(groups).slice(0, SHOWN)) print(`WRONG, ${all.length} times: ${what}: ${JSON.stringify(all[0])}`);
}

/** The verdicts on the money of `steady`, whose clients saw `seen`; `others` are the tenants besides. Counterexamples go to `print`. */
export function moneyVerdicts(steady, others, { attempts }, seen, print) {
  const { names, wrong, calls, truths, exact, unsent, runs } = audit(rowsOf(steady), attempts, seen);
  const elsewhere = new Set(others.flatMap((tenant) => [...rowsOf(tenant)].map(({ call }) => call)));
  const lost = [...attempts].filter(([call]) => !names.has(call) && !elsewhere.has(call));
  printWrong(wrong, print);
  for (const one of lost.slice(0, SHOWN)) print(`LOST ${JSON.stringify(one)}`);
  const begun = [...attempts].filter(([call, [first]]) => names.has(call) && KINDS[first.model]?.bill === 'run').length;
  const told = TRUTHS.map((truth) => `${truth} ${truths[truth]}`).join(', ');
  return [
    { name: `${steady.id}: every bill is exact, or within its bounds`, ok: calls > 0 && wrong.length === 0, told: `${calls} calls, ${wrong.length} wrong (${told})` },
    { name: `${steady.id}: what was told is billed to the nano-dollar`, ok: exact > 0 && wrong.length === 0, told: `${exact} calls; ${unsent} were never sent, and are free` },
    { name: `${steady.id}: each run behind its answer is billed once`, ok: runs === begun, told: `${begun} began, ${runs} are billed` },
    { name: 'all that was sent is in a ledger', ok: lost.length === 0, told: `${attempts.size} calls, ${lost.length} in none` },
  ];
}
