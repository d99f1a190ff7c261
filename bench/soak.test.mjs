// The soak's verdicts fail when they should: each of these ledgers has one thing that is not as it must be.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerVerdicts, budgetVerdicts } from './soak/checks.mjs';
import { KINDS, NATIVE_HELD, callOf, catalogOf } from './soak/kinds.mjs';
import { Seen, Witness, audit, moneyVerdicts } from './soak/money.mjs';
import { wrongOf } from './soak/rules.mjs';
import { HELD_MAX } from '../src/shell/memory.js';

const USAGE = { prompt_tokens: 20, completion_tokens: 8, prompt_tokens_details: { cached_tokens: 5 } };
const COST = 15 * 150 + 5 * 75 + 8 * 600; // nano-dollars
const ROW = {
  at: 1, call: 'a', model: 'whole', endpoint: 'chat', state: 'settled', held_input: 500, held_output: 100, held_cost: 135_000, input: 20, cached_input: 5,
  output: 8, cost: COST, truth: 'reported', target: 'scripted/c8-i20-k5', status: 200, attempts: 1,
};
const TOLD = { call: 'a', model: 'c8-i20-k5', status: 200, chunks: 0, usage: USAGE };
const SEEN = { kind: 'whole', status: 200, pieces: 0, left: false, original: null };

/** What is wrong with a row that is changed so, told and seen as given. */
const wrong = (row, told = {}, seen = {}) => wrongOf({ ...ROW, ...row }, told === null ? [] : [{ ...TOLD, ...told }], seen === null ? undefined : { ...SEEN, ...seen });

test('a bill that was told is exact, or it is wrong', () => {
  assert.equal(wrong({}), null);
  for (const row of [{ cost: COST + 1 }, { cost: COST - 1 }, { input: 21 }, { output: 7 }, { cached_input: 4 }, { truth: 'counted' }, { state: 'open' }, { attempts: 2 }]) {
    assert.notEqual(wrong(row), null, JSON.stringify(row));
  }
  const edge = { model: 'usage-short', target: 'edges/usage-short', cached_input: 0, cost: 20 * 1_000 + 8 * 2_000 };
  const told = { usage: { prompt_tokens: 20, completion_tokens: 8 } };
  assert.equal(wrong(edge, told, { kind: 'usage-short' }), null);
});

test('a bill that nobody told is between what was seen and what was held', () => {
  const cost = (input, output) => input * 150 + output * 600;
  const cut = { model: 'cut', target: 'scripted/c20-cut7', truth: 'estimated', cached_input: 0, input: 100, output: 7, cost: cost(100, 7) };
  const [untold, seen] = [{ usage: null, chunks: 7 }, { kind: 'cut', pieces: 7 }];
  assert.equal(wrong(cut, untold, seen), null);
  for (const row of [{ cost: 0 }, { cost: 135_001 }, { output: 6 }, { truth: 'reported' }, { cost: cost(0, 7) }]) {
    assert.notEqual(wrong({ ...cut, ...row }, untold, seen), null, JSON.stringify(row));
  }
  const counted = { ...cut, model: 'untold', truth: 'counted' };
  assert.equal(wrong(counted, untold, { kind: 'untold', pieces: 7 }), null);
  assert.notEqual(wrong(counted, { ...untold, chunks: 8 }, { kind: 'untold', pieces: 7 }), null);
  assert.notEqual(wrong({ ...counted, cost: counted.cost + 1 }, untold, { kind: 'untold' }), null, 'it is no sum of its tokens');
  const bounded = { ...cut, model: 'usage-huge', target: 'edges/usage-huge', truth: 'bounded', output: 100, cost: 100 * 1_000 + 100 * 2_000, held_cost: 800_000 };
  assert.equal(wrong(bounded, untold, { kind: 'usage-huge' }), null);
  for (const row of [{ output: 101, cost: 302_000 }, { held_input: 99 }, { truth: 'counted' }]) {
    assert.notEqual(wrong({ ...bounded, ...row }, untold, { kind: 'usage-huge' }), null, JSON.stringify(row));
  }
});

test('what was refused or never sent is free, a native call without a usage and a run nobody saw end are not', () => {
  const nothing = { input: 0, cached_input: 0, output: 0, cost: 0 };
  assert.equal(wrong({ ...nothing, model: 'failing', status: 500 }, { usage: null, status: 500 }, { kind: 'failing' }), null);
  assert.notEqual(wrong({ model: 'failing', status: 500 }, { usage: null, status: 500 }, { kind: 'failing' }), null);
  assert.equal(wrong(nothing, null), null);
  assert.notEqual(wrong({}, null), null);
  const held = { endpoint: 'passthrough', model: 'providers/edges', target: 'edges/*', truth: 'ceiling', cost: NATIVE_HELD, held_cost: NATIVE_HELD };
  const native = [{ model: 'native-untold', usage: null }, { kind: 'native-untold' }];
  assert.equal(wrong(held, ...native), null);
  assert.notEqual(wrong({ ...held, cost: NATIVE_HELD - 1 }, ...native), null);
  const run = { model: 'background', target: 'edges/background', truth: 'ceiling', cost: 135_000 };
  assert.equal(wrong(run, { model: 'background', usage: null }, { kind: 'background' }), null);
  assert.notEqual(wrong({ ...run, ...nothing }, { model: 'background', usage: null }, { kind: 'background' }), null);
  assert.notEqual(wrong(run, { model: 'background', usage: { prompt_tokens: 700, completion_tokens: 60 } }, { kind: 'background' }), null, 'a look told');
});

test('a call that was left may cost what it has shown, but nothing only if it did nothing', () => {
  const left = { model: 'left', truth: 'counted', cached_input: 0, input: 10, output: 5, cost: 10 * 150 + 5 * 600 };
  assert.equal(wrong(left, { usage: null }, { kind: 'left', left: true, pieces: 4 }), null);
  assert.equal(wrong({ ...left, attempts: 2 }, { usage: null }, null), null);
  assert.notEqual(wrong(left, { usage: null }, { kind: 'left', left: true, pieces: 6 }), null);
  assert.notEqual(wrong({ ...left, input: 0, output: 0, cost: 0 }, { usage: null }, { kind: 'left', left: true }), null);
});

test('rows, records and what clients saw are of the same calls', () => {
  const attempts = new Map([['a', [TOLD]]]);
  const seen = new Map([['a', SEEN]]);
  const found = (rows, calls = seen, nameless = 0) => audit(rows, attempts, { calls, nameless }).wrong.length;
  assert.equal(found([ROW]), 0);
  assert.equal(found([]), 1, 'it was answered');
  assert.equal(found([ROW], new Map()), 1, 'it is nobody\'s');
  assert.equal(found([ROW], new Map(), 1), 0);
  assert.equal(found([ROW], new Map([['a', { ...SEEN, original: 'b' }]])), 1, 'it was given another answer');
});

test('the verdicts print what is wrong, and tell of calls that are in no ledger and of runs that are there twice', () => {
  const tenant = (...rows) => ({ id: 't', rows: (statement) => (statement.includes('at > -1') ? rows : []) });
  const witness = new Witness();
  const [seen, printed] = [new Seen(), []];
  witness.saw({ ...TOLD, seq: 1, prompt_tokens: 20, completion_tokens: 8 });
  seen.saw('whole', { ...SEEN, call: 'a' });
  const failed = (...rows) => moneyVerdicts(tenant(...rows), [], witness, seen, (text) => printed.push(text)).filter(({ ok }) => !ok).map(({ name }) => name);
  assert.deepEqual(failed(ROW), []);
  assert.deepEqual(failed({ ...ROW, cost: COST + 1 }).length, 2);
  assert.match(printed.join('\n'), /its cost must be that of its tokens(.|\n)*"call":"a"/);
  assert.ok(failed().includes('all that was sent is in a ledger'));
  assert.ok(failed(ROW, { ...ROW, model: 'background' }).includes('t: each run behind its answer is billed once'));
});

test('answers that nothing explains, 500s and bytes beyond the budget fail', () => {
  const traffic = { odd: {}, statuses: { 200: 1 }, fives: 0, answered: 1 };
  const ok = (verdicts) => verdicts.map((one) => one.ok);
  assert.deepEqual(ok(answerVerdicts(traffic, ['hello'])), [true, true]);
  assert.deepEqual(ok(answerVerdicts({ ...traffic, odd: { 'whole: 502': 1 } }, [])), [false, true]);
  assert.deepEqual(ok(answerVerdicts({ ...traffic, fives: 1 }, [])), [true, false]);
  assert.deepEqual(ok(answerVerdicts(traffic, ['a call ended in an error of the gateway: x'])), [true, false]);
  assert.deepEqual(ok(budgetVerdicts({ isolate_bytes: 0, isolate_bytes_peak: HELD_MAX })), [true, true]);
  assert.deepEqual(ok(budgetVerdicts({ isolate_bytes: 1, isolate_bytes_peak: HELD_MAX + (9 << 20) })), [false, false]);
});

test('every kind can be asked for, most calls are ordinary, and none is without a rule', () => {
  const { models } = catalogOf('http://p', 'http://e');
  const weight = (kinds) => kinds.reduce((sum, one) => sum + one.weight, 0);
  const ordinary = ['whole', 'stream', 'slow', 'translated', 'backed', 'named'].map((name) => KINDS[name]);
  assert.ok(weight(ordinary) > 0.6 * weight(Object.values(KINDS)));
  for (const [name, { bill, dialect }] of Object.entries(KINDS)) {
    assert.ok(['told', 'free', 'some', 'left', 'counted', 'bounded', 'besides', 'held', 'run'].includes(bill), name);
    if (name === 'look') continue;
    assert.ok(callOf(name, () => 0).body.length > 0, name);
    assert.equal(name in models, dialect !== 'native', name);
  }
});
