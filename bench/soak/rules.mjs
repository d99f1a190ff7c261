// What a row of the ledger must say, by what its call was, what the providers made of it, and what its client saw: one rule for each bill.
//
// An attempt is a record of a provider: { model, status, chunks, usage }, where `usage` is what it told to its end, else null. `seen` is what
// the client saw: { kind, status, pieces, left }, or undefined where it left before it knew the call's name.

import { costOf } from '../../tests/workerd/bills/jobs.mjs';
import { CAP, KINDS, NATIVE_HELD, PRICES } from './kinds.mjs';

const priceOf = (row) => PRICES[row.target?.split('/')[0]];
const isNative = (row) => row.endpoint === 'passthrough';

/** The cost of what a row says was used, at the price of its target. */
function costOfRow(row) {
  const usage = { prompt_tokens: row.input, completion_tokens: row.output, prompt_tokens_details: { cached_tokens: row.cached_input } };
  return Number(costOf(usage, priceOf(row)));
}

/** What is wrong with a row by a list of [whether it is as it must be, what it must be]; null: nothing. */
const firstWrong = (...checks) => checks.find(([ok]) => !ok)?.[1] ?? null;

/** It is billed what the provider told of, to the nano-dollar. */
function exact(row, usage) {
  if (!priceOf(row)) return 'its target must be named';
  const cost = Number(costOf(usage, priceOf(row)));
  const [input, output, cached] = [usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details?.cached_tokens ?? 0];
  return firstWrong(
    [row.truth === 'reported', 'its truth must be reported'],
    [row.input === input && row.output === output && row.cached_input === cached, `its tokens must be ${input}, ${output}, ${cached} cached`],
    [row.cost === cost, `it must cost ${cost}`],
  );
}

/** It is billed something: what its client saw at the least, what it held at the most. */
function within(row, pieces, most = row.held_cost) {
  const least = isNative(row) || !priceOf(row) ? 1 : Number(costOf({ prompt_tokens: 1, completion_tokens: pieces }, priceOf(row)));
  return firstWrong(
    [row.truth !== 'reported', 'nobody reported it'],
    [row.cost > 0, 'it must cost something'],
    [row.cost >= least, `it must cost ${least} at the least`],
    [row.cost <= most, `it must cost ${most} at the most`],
    [isNative(row) || row.output >= pieces, `its output must be ${pieces} at the least`],
  );
}

const free = (row) => firstWrong([row.cost === 0 && row.input === 0 && row.output === 0, 'it must be free']);

/**
 * Of a call that its client left: exact where the provider's word came, else bounded; what was refused, or surely did nothing, is free.
 * Of a native call the word is waited for.
 */
function ofLeft(row, last, pieces, kind) {
  if (isNative(row)) return last.usage ? exact(row, last.usage) : RULES.held(row);
  if (row.truth === 'reported' && last.usage) return exact(row, last.usage);
  const didNothing = row.cost === 0 && (last.status >= 400 || kind.bill === 'free');
  return didNothing ? null : within(row, pieces);
}

const RULES = {
  told: (row, { last, pieces }) => (last.usage ? exact(row, last.usage) : within(row, pieces)),
  free: (row) => free(row),
  some: (row, { pieces }) => within(row, pieces),
  left: (row, { last, pieces, kind }) => ofLeft(row, last, pieces, kind),
  /** What came is counted, chunk by chunk; of a whole answer it is an estimate. */
  counted: (row, { last, pieces }) => within(row, pieces) ?? firstWrong(
    [row.truth === 'counted', 'its truth must be counted'],
    [last.chunks === 0 || row.output === last.chunks, `its output must be ${last.chunks}`],
  ),
  /** No more than the call can use at all: all of its output, and what was sent. */
  bounded: (row, { pieces }) => within(row, pieces) ?? firstWrong(
    [row.truth === 'bounded', 'its truth must be bounded'], [row.output === CAP, `its output must be ${CAP}`],
    [row.input > 0 && row.input <= row.held_input, `its input must be ${row.held_input} at the most`],
  ),
  /** What answered is told; besides it a target fell silent before, unless it was not asked. */
  besides: (row, { last, attempts }) => {
    if (!last.usage) return 'what answered must be the last that was asked';
    if (attempts.length === 1) return exact(row, last.usage);
    const told = Number(costOf(last.usage, priceOf(row)));
    return within(row, 0, Math.max(told, row.held_cost)) ?? firstWrong(
      [row.truth === 'estimated', 'its truth must be estimated'], [row.cost >= told, `it must cost ${told} at the least`]);
  },
  held: (row) => firstWrong(
    [row.truth !== 'reported', 'nobody reported it'], [row.cost === NATIVE_HELD && row.held_cost === NATIVE_HELD, `it must cost ${NATIVE_HELD}`]),
  /** A run is billed what a look told of its end, else its ceiling. */
  run: (row, { last }) => (last.usage ? exact(row, last.usage) : firstWrong(
    [row.truth === 'ceiling', 'its truth must be ceiling'], [row.cost === row.held_cost && row.cost > 0, `it must cost ${row.held_cost}`])),
};

/** What is wrong with a row, in words; null: nothing. */
export function wrongOf(row, attempts, seen) {
  if (row.state === 'open') return 'it must have ended';
  const left = seen === undefined || seen.left;
  if (attempts.length === 0) return free(row);
  const last = attempts.at(-1);
  const kind = KINDS[seen?.kind] ?? KINDS[row.model] ?? KINDS[last.model];
  if (!kind) return `nobody knows its kind: ${row.model}`;
  const known = { last, attempts, kind, pieces: seen?.pieces ?? 0 };
  const sums = isNative(row) || ['ceiling', 'estimated'].includes(row.truth) || row.cost === 0 || row.cost === costOfRow(row);
  return firstWrong(
    [left || row.state === 'expired' || row.attempts === attempts.length, `it must tell of ${attempts.length} attempts`],
    [sums, 'its cost must be that of its tokens'],
  ) ?? (left && kind.bill !== 'run' ? RULES.left(row, known) : RULES[kind.bill](row, known));
}
