// The bench measures what it says: the load generator counts every answer and event, and the verdicts follow the figures.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startProvider } from '../tests/provider/provider.mjs';
import { load } from './load.mjs';
import { median } from './measure.mjs';
import { raceLines, summarize, table, verdicts } from './report.mjs';
import { memoryVerdicts, sumVerdicts } from './soak/checks.mjs';

let provider;
before(async () => { provider = await startProvider(); });
after(() => provider.stop());

const job = (model, more = {}, body = {}) => (
  { url: `${provider.url}/v1/chat/completions`, connections: 4, requests: 40, body: { model, messages: [], ...body }, ...more });

test('every answer is counted once, on connections that are kept', async () => {
  provider.reset();
  const result = await load(job('c3'));
  assert.deepEqual([result.count, result.statuses, result.errors], [40, { 200: 40 }, {}]);
  assert.deepEqual([provider.stats().requests, provider.stats().connections], [40, 4]);
  assert.ok(result.latency.p50 > 0 && result.latency.p50 <= result.latency.p99);
});

test('events are counted exactly, however the stream is cut', async () => {
  const events = 1 + 5 + 1 + 1;
  for (const model of ['c5', 'c5-split7', 'c5-split1-utf8']) {
    assert.equal((await load(job(model, { requests: 8 }, { stream: true }))).events, 8 * events, model);
  }
});

test('a broken answer is an error, and the loop goes on with a new connection', async () => {
  provider.reset();
  provider.script('c1', ['cut0', 'fail500']);
  const result = await load(job('c1', { connections: 1, requests: 5 }));
  assert.deepEqual(result.statuses, { 200: 3, 500: 1 });
  assert.equal(Object.values(result.errors).reduce((sum, count) => sum + count, 0), 1);
});

test('a burst sends one request on each connection', async () => {
  provider.reset();
  provider.script('c1', Array(30).fill('fail429'));
  assert.deepEqual((await load(job('c1', { burst: 100 }))).statuses, { 200: 70, 429: 30 });
  assert.equal(provider.stats().connections, 100);
});

const measured = (cpu) => ({ perSecond: 1e6 / cpu, cpu, latency: { p50: 900, p99: 2_000 }, straight: { latency: { p50: 100 } } });
const round = (cpu, counts) => ({
  full: { ...measured(cpu), counts }, idle: { ...measured(cpu), counts }, few: measured(cpu),
  stream: { ...measured(cpu), cpuPerEvent: cpu / 100, events: 100, seconds: 1, first: { p50: 500 } },
  translated: { ...measured(cpu), cpuPerEvent: cpu / 100 },
});

test('the table and the verdicts follow the medians', () => {
  assert.deepEqual([median([3, 1, 2]), median([4, 1]), median([])], [2, 2.5, null]);
  const counts = { rows_written: 2, object_requests: 2, d1_reads: 0, calls: 1 };
  const of = (label, cpus, told) => ({ label, ...summarize(cpus.map((cpu) => round(cpu, told))) });
  const summaries = { proxy: of('proxy', [200, 100, 210]), reads: of('reads', [300]), sqlite: of('sqlite', [800]), tollgate: of('Tollgate', [400], counts) };
  assert.match(table(summaries), /Tollgate +2,500 +400 +2\.00x +0\.50x/);
  assert.deepEqual(verdicts(summaries, 300 << 10).map(({ ok }) => ok), [true, true, true, false, true, true, true, true, true, true, true, true]);
  const burst = { admitted: 100, refused: 900, other: 0, reached: 100 };
  const told = raceLines({ kv: [burst], sqlite: [burst], tollgate: [burst, { ...burst, reached: 101 }] }, 1_000, 100);
  assert.equal(told.verdicts[0].ok, false);
});

test('a soak fails for memory that grows, for holds, and for sums that differ', () => {
  const samples = (resident, heap) => Array.from({ length: 50 }, (_, at) => ({ resident: resident(at), heap: heap(at) }));
  const flat = (at) => (at < 10 ? 100 + at : 200);
  assert.deepEqual(memoryVerdicts(samples(flat, () => 2)).map(({ ok }) => ok), [true, true]);
  assert.deepEqual(memoryVerdicts(samples((at) => 200 + at, (at) => 2 + at / 10)).map(({ ok }) => ok), [false, false]);
  assert.deepEqual(memoryVerdicts([]).map(({ ok }) => ok), [false, false]);

  const ledger = { calls: 2, open: 0, failed: 0, input_tokens: 9, cached_input_tokens: 0, output_tokens: 3, cost: 5_000, names: 2 };
  const usage = (more, held = 0) => ({
    limits: { cost: { name: 'cost', used: '0.000005', held: String(held) } },
    periods: { lifetime: { total: { calls: 2, failed: 0, input_tokens: 9, cached_input_tokens: 0, output_tokens: 3, cost: '0.000005', ...more } } },
  });
  const failed = (...told) => sumVerdicts({ id: 't' }, ...told).filter(({ ok }) => !ok).map(({ name }) => name);
  assert.deepEqual(failed(ledger, usage({})), []);
  assert.deepEqual(failed({ ...ledger, open: 1 }, usage({})), ['t: no call is open']);
  assert.deepEqual(failed({ ...ledger, names: 1 }, usage({})), ['t: no call is in the ledger twice']);
  assert.deepEqual(failed(ledger, usage({}, 1)), ['t: nothing is held']);
  assert.deepEqual(failed(ledger, usage({ output_tokens: 4 })), ["t: the ledger's rows add up to the usage"]);
  assert.deepEqual(failed({ ...ledger, cost: 5_001 }, usage({})), ["t: the ledger's rows add up to the usage", "t: the budget's count is the ledger's sum"]);
});
