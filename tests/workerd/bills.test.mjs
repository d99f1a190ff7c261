// Bills are exact: over 10,000 calls of every kind, each row of the ledger is what the provider's own journal says, to the nano-dollar, by
// arithmetic that has nothing in common with the gateway's.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { inTime, nanoOf, startWorld } from './support.mjs';
import { MODELS, PRICES, costOf, jobsOf, partsOf } from './bills/jobs.mjs';
import { Clients } from './bills/clients.mjs';

const CALLS = 10_000;
const CONNECTIONS = 64;
const KEYS = 3;
const PATIENCE_MS = 300_000;
const SEED = Number(process.env.BILLS_SEED ?? 20_261_117);
const POLICY = {
  limits: [
    { name: 'cost', what: 'cost', per: 'tenant', window: 'lifetime', max: '1000000' },
    { name: 'input', what: 'input_tokens', per: 'tenant', window: 'month', max: 1e12 },
    { name: 'output', what: 'output_tokens', per: 'tenant', window: '1h', max: 1e12 },
    { name: 'busy', what: 'concurrency', per: 'tenant', max: 1_000 },
  ],
};

let world;
let tenant;
let keys;
before(async () => {
  world = await startWorld();
  const scripted = { dialect: 'openai', base_url: `${world.provider.url}/v1` };
  const targets = (names) => ({ targets: names.map((model) => ({ provider: 'scripted', model })) });
  await world.admin('PUT', '/catalog', {
    providers: { scripted },
    models: Object.fromEntries(Object.entries(MODELS).map(([name, names]) => [name, targets(names)])),
    prices: Object.fromEntries(Object.entries(PRICES).map(([name, price]) => [`scripted/${name}`, price])),
  });
  tenant = await world.tenant('bills', POLICY);
  keys = [tenant, ...(await Promise.all(Array.from({ length: KEYS - 1 }, () => tenant.newKey())))];
});
after(() => world.stop());

/** Resolves once the provider has the call with that mark. */
function reached(mark) {
  const before = world.provider.calls().length;
  return world.provider.until((calls) => calls.slice(before).some(({ body }) => body?.metadata?.mark === mark));
}

/** What the provider saw, by call: its attempts in their order. */
function journal() {
  const attempts = new Map();
  for (const call of world.provider.calls()) attempts.set(call.call, [...(attempts.get(call.call) ?? []), call]);
  return attempts;
}

/** What a row must say where the provider told its usage: tokens by kind, and the bill. */
function reported(usage, model) {
  const { prompt_tokens: input, completion_tokens: output } = usage;
  const { cached_tokens: cached } = usage.prompt_tokens_details;
  return { truth: 'reported', input, output, cached_input: cached, parts: partsOf(usage), cost: costOf(usage, PRICES[model]) };
}

const shown = (row) => ({
  truth: row.truth, input: row.input, output: row.output, cached_input: row.cached_input, parts: row.parts, cost: BigInt(row.cost),
});

/** Whether an attempt that is no answer was sent the request all the same: no head came, or one whose body is not whole. */
const fellSilent = ({ status }) => status === 0 || status === 200;

/** Holds a row against its call, a provider of which fell silent: what came is billed, and no more than was held. */
function checkEstimate(row, answered, pieces, at) {
  assert.equal(row.truth, 'estimated', at);
  assert.ok(row.input > 0 && row.output >= pieces && row.output <= row.held_output, at);
  const told = row.status === 200 && answered.usage ? costOf(answered.usage, PRICES[answered.model]) : 0n;
  assert.ok(BigInt(row.cost) >= told && BigInt(row.cost) <= (told > BigInt(row.held_cost) ? told : BigInt(row.held_cost)), at);
  assert.ok(row.cost > 0 || answered.model === 'free', `${at} is for nothing`);
}

/** Holds one row against what the provider made of its call. */
function checkRow(row, attempts, { kind, pieces }) {
  const at = `${kind}, ${row.model}: ${JSON.stringify(row)}`;
  assert.equal(row.state, 'settled', at);
  assert.equal(row.attempts, attempts.length, at);
  const answered = attempts.at(-1);
  const silent = (row.status === 200 ? attempts.slice(0, -1) : attempts).filter(fellSilent);
  if (row.status !== 200 && silent.length === 0) {
    assert.ok(['fails', 'refused'].includes(kind), at);
    return assert.deepEqual([row.input, row.output, row.cost, row.truth], [0, 0, 0, 'reported'], at);
  }
  assert.equal(row.target, `scripted/${answered.model}`, at);
  // An input of none is no word: it is reckoned.
  const reckoned = row.truth === 'counted' && answered.prompt_tokens === 0 && row.input > 0;
  if (answered.cut && silent.length === 0 && (row.truth === 'reported' || reckoned)) {
    // All but its last bytes came, and the usage with them.
    return assert.deepEqual([reckoned ? 0 : row.input, row.output], [answered.prompt_tokens, answered.completion_tokens], at);
  }
  // A target whose 200 never became an answer is free where the next one answers.
  const neverBegan = row.status === 200 && row.truth === 'reported' && silent.every(({ status }) => status === 200);
  if ((silent.length > 0 && !neverBegan) || answered.cut || (kind === 'left' && row.truth === 'estimated')) return checkEstimate(row, answered, pieces, at);
  if (row.truth === 'reported') {
    assert.ok(answered.usage, `${at} was never told`);
    return assert.deepEqual(shown(row), reported(answered.usage, answered.model), at);
  }
  assert.equal(row.truth, 'counted', at);
  if (answered.usage?.prompt_tokens === 0 && kind !== 'left') {
    // No model answers nothing: the input is reckoned, and the rest is as it was told.
    assert.ok(row.input > 0, at);
    return assert.deepEqual(shown(row), { ...reported({ ...answered.usage, prompt_tokens: row.input }, answered.model), truth: 'counted' }, at);
  }
  assert.ok(answered.usage === null || kind === 'left', `${at} was told ${JSON.stringify(answered.usage)}`);
  assert.ok(row.input > 0 && row.output <= Math.max(answered.completion_tokens, row.held_output), at);
  const counted = { prompt_tokens: row.input, completion_tokens: row.output };
  assert.equal(BigInt(row.cost), costOf(counted, PRICES[answered.model]), at);
  if (answered.body.stream) assert.ok(row.output >= pieces && row.output <= answered.chunks, `${at}: ${pieces} of ${answered.chunks} pieces came`);
  if (answered.body.stream && kind === 'untold') assert.equal(row.output, answered.chunks, at);
  return assert.ok(row.cost > 0 || answered.model === 'free', `${at} is for nothing`);
}

/** Sums of rows in the words of GET /v1/usage, by `name`. */
function sumsBy(rows, name) {
  const sums = {};
  for (const row of rows) {
    const sum = (sums[row[name]] ??= { calls: 0, failed: 0, input_tokens: 0, cached_input_tokens: 0, output_tokens: 0, cost: 0n });
    sum.calls += 1;
    sum.failed += row.status === 200 ? 0 : 1;
    sum.input_tokens += row.input;
    sum.cached_input_tokens += row.cached_input;
    sum.output_tokens += row.output;
    sum.cost += BigInt(row.cost);
  }
  return sums;
}

const exact = ({ cost, ...sums }) => ({ ...sums, cost: BigInt(nanoOf(cost)) });
const exactAll = (parts) => Object.fromEntries(Object.entries(parts).map(([name, sums]) => [name, exact(sums)]));

test(`${CALLS} mixed calls are billed to the nano-dollar what the provider made (seed ${SEED})`, async (context) => {
  const jobs = jobsOf(SEED, CALLS);
  world.provider.script('primary', jobs.steps);
  const clients = new Clients(world.url, keys.map(({ key }) => key), CONNECTIONS, reached);
  const seen = await inTime('all calls are answered', clients.run(jobs.calls), () => clients.state(), PATIENCE_MS);
  const rows = await tenant.settled();
  const attempts = journal();

  assert.deepEqual(rows.map(({ call }) => call).toSorted(), [...attempts.keys()].toSorted(), 'each call has one row, and no row has none');
  let replayed = 0;
  for (const [call, { status, original }] of seen) {
    if (status === 200) assert.ok(attempts.has(original ?? call), `${call} was answered by nobody`);
    if (original === null) continue;
    assert.ok(!attempts.has(call), `${call} is ${original} sent again, and went to the provider too`);
    replayed += 1;
  }
  const told = {};
  for (const row of rows) {
    const client = seen.get(row.call) ?? { kind: 'left', pieces: 0 }; // who left before the head came knows no name
    checkRow(row, attempts.get(row.call), client);
    const name = `${client.kind} ${row.status} ${row.truth}`;
    told[name] = (told[name] ?? 0) + 1;
  }
  assert.equal(rows.length, CALLS - replayed);
  assert.ok(replayed > 0);

  const { limits, periods } = await tenant.usage();
  const { total, models, keys: byKey } = periods.lifetime;
  const all = sumsBy(rows.map((row) => ({ ...row, all: 'all' })), 'all').all;
  assert.deepEqual(exact(total), all);
  assert.deepEqual(exactAll(models), sumsBy(rows, 'model'));
  assert.deepEqual(exactAll(byKey), sumsBy(rows, 'key'));
  assert.deepEqual([nanoOf(limits.cost.used), limits.input.used, limits.output.used], [Number(all.cost), all.input_tokens, all.output_tokens]);
  assert.ok(Object.values(limits).every(({ held }) => Number(held) === 0), 'nothing is held');
  context.diagnostic(`${rows.length} rows, ${replayed} answers given again, ${world.provider.calls().length} attempts, $${total.cost} in all: ${JSON.stringify(told)}`);
});
