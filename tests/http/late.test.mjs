// A provider that answers after its time is up. Its client was told so, or was answered by another target; what the answer tells of its
// usage is billed all the same, in place of the estimate.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { HELLO, eventually, inTime, refusal, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 60_000 };
const LIMITS = [{ name: 'budget', what: 'cost', window: 'lifetime', max: '10' }, { name: 'at-once', what: 'concurrency', max: 9 }];
const CAP = 8_000;
const USAGE = { prompt_tokens: 7, completion_tokens: 50, total_tokens: 57 };
/** What a usage of so much costs. */
const costOf = ({ input, output }) => input * 1_000 + output * 2_000;
const TOLD = { input: USAGE.prompt_tokens, output: USAGE.completion_tokens };
const json = (body) => ['application/json', JSON.stringify(body)];
const message = (content, usage) => ({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }], usage });
const chunk = (more) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], ...more })}\n\n`;
const words = chunk({ choices: [{ index: 0, delta: { role: 'assistant', content: 'forty-two' }, finish_reason: null }] });
const ended = chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
const lastWord = 'data: [DONE]\n\n';
const SSE = 'text/event-stream';
const STREAM = `${words}${ended}${chunk({ usage: USAGE })}${lastWord}`;
let world;
let server;
const queues = { 1: [], 2: [], dear: [], patient: [] };

/** A promise and what fulfils it. */
function gate() {
  let open;
  const opened = new Promise((done) => { open = done; });
  return [opened, open];
}

/**
 * Providers that each answer by what is queued for it: steps that are `[status, type]`, a text, a promise to wait for, or `{ again }`, a
 * text that is sent until nobody reads it.
 */
async function startServer() {
  const made = createServer(async (req, res) => {
    const { steps, came, gone } = queues[req.url.split('/')[1]].shift();
    req.resume();
    await once(req, 'end');
    came();
    res.once('close', () => gone(res.writableFinished));
    for (const step of steps) {
      if (typeof step === 'string') res.write(step);
      else if (Array.isArray(step)) res.writeHead(step[0], { 'content-type': step[1], ...step[2] }).flushHeaders();
      else for (; step.again && !res.destroyed; await new Promise(setImmediate)) res.write(step.again);
      await step;
    }
    res.end();
  });
  await new Promise((done) => made.listen(0, '127.0.0.1', done));
  return made;
}

/** The next answer of a provider: promises of when it was asked, and of whether its answer was read to its end. */
function answers(provider, ...steps) {
  const [came, comes] = gate();
  const [gone, goes] = gate();
  queues[provider].push({ steps, came: comes, gone: goes });
  return { came, gone };
}

before(async () => {
  [world, server] = await Promise.all([startWorld(), startServer()]);
  const places = Object.keys(queues);
  const shared = { dialect: 'openai', price_list: 'none', timeout: '1s', first_event_timeout: '1s' };
  const at = (place) => `http://127.0.0.1:${server.address().port}/${place}/v1`;
  const target = (place) => ({ provider: `p${place}`, model: 'm' });
  const model = (...places) => ({ targets: places.map(target), max_output: CAP });
  const provider = (place) => [`p${place}`, { ...shared, ...(place === 'patient' ? { timeout: '60s', first_event_timeout: '60s' } : {}), base_url: at(place) }];
  const price = (place) => [`p${place}/*`, place === 'dear' ? { input: '10', output: '20' } : { input: '1', output: '2' }];
  await world.catalog({ alone: model('1'), two: model('1', '2'), dear: model('dear', '2'), patient: model('patient') }, {
    providers: Object.fromEntries(places.map(provider)), prices: Object.fromEntries(places.map(price)),
  });
});

after(async () => {
  await world.stop();
  await new Promise((done) => server.close(done).closeAllConnections());
});

const ask = (tenant, model, more = {}) => tenant.chat({ model, messages: HELLO, max_tokens: CAP, ...more });

/** A call's row once its `truth` is this; nothing is held, and every sum is that of the row. */
async function billed(tenant, response, truth) {
  const id = typeof response === 'string' ? response : response.headers.get('x-request-id');
  const found = async () => (await world.ledger()).find((row) => row.call === id && row.truth === truth);
  const row = await eventually(found, `the bill of ${id} is ${truth}: ${JSON.stringify(await world.settled(id))}`);
  const [budget, slots] = [await tenant.limit('budget'), await tenant.limit('at-once')];
  assert.deepEqual([Math.round(budget.used * 1e9), budget.held, slots.held], [row.cost, '0', 0]);
  const { total } = (await tenant.usage()).periods.lifetime;
  assert.deepEqual([total.calls, total.input_tokens, total.output_tokens], [1, row.input, row.output]);
  return row;
}

const used = ({ input, output, cost }) => ({ input, output, cost });
const told = (usage = TOLD) => ({ ...usage, cost: costOf(usage) });
const twice = ({ input, output }) => ({ input: 2 * input, output: 2 * output });

/** What comes in time, and what comes late, of an answer. */
const [whole, long] = [json(message('forty-two', USAGE)), json(message('word '.repeat(100_000), USAGE))];
const half = (text) => [text.slice(0, text.length >> 1), text.slice(text.length >> 1)];
const LATE = {
  'a whole answer': [[], [[200, whole[0]], whole[1]]],
  'a long whole answer': [[], [[200, long[0]], long[1]]],
  'the rest of a whole answer': [[[200, whole[0]], half(whole[1])[0]], [half(whole[1])[1]]],
  'the rest of a whole answer of a known length': [[[200, whole[0], { 'content-length': whole[1].length }], half(whole[1])[0]], [half(whole[1])[1]]],
  'the rest of a long whole answer': [[[200, long[0]], half(long[1])[0]], [half(long[1])[1]]],
};
const LATE_STREAMS = {
  'a stream': [[], [[200, SSE], STREAM]],
  'a stream after its head': [[[200, SSE]], [STREAM]],
  'a stream after its opening': [[[200, SSE], chunk({ choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }] })], [STREAM]],
  'a whole answer to who wants a stream': [[], [[200, whole[0]], whole[1]]],
  'the rest of such an answer': [[[200, whole[0]], half(whole[1])[0]], [half(whole[1])[1]]],
};

for (const [stream, all] of [[false, LATE], [true, LATE_STREAMS]]) {
  for (const [what, [inTimeSteps, late]] of Object.entries(all)) {
    test(`${what} that comes late is billed by its usage in place of the estimate, and its client was told in time`, TIMEOUT, async () => {
      const tenant = await world.tenant({ limits: LIMITS });
      const [opened, open] = gate();
      answers(1, ...inTimeSteps, opened, ...late);
      const response = await ask(tenant, 'alone', { stream });
      await refusal(response, 504, { code: 'upstream_timeout' });
      const estimate = await billed(tenant, response, 'estimated');
      assert.notDeepEqual(used(estimate), told());
      open();
      const row = await billed(tenant, response, 'reported');
      assert.deepEqual([used(row), row.status, row.target, row.attempts], [told(), 504, 'p1/m', 1]);
      assert.match(row.priced_by, /^catalog:/);
    });
  }
}

test('a target that answers late is billed besides the one that answered, on one row', TIMEOUT, async () => {
  for (const stream of [false, true]) {
    const tenant = await world.tenant({ limits: LIMITS });
    const good = stream ? [[200, SSE], STREAM] : [[200, whole[0]], whole[1]];
    const [opened, open] = gate();
    answers(1, opened, ...good);
    answers(2, ...good);
    const response = await ask(tenant, 'two', { stream });
    assert.equal(response.status, 200, await response.text());
    await billed(tenant, response, 'estimated');
    const { rows_written: before } = await tenant.metrics();
    open();
    const row = await billed(tenant, response, 'reported');
    assert.deepEqual([used(row), row.status, row.target, row.attempts], [told(twice(TOLD)), 200, 'p2/m', 2]);
    assert.ok((await tenant.metrics()).rows_written - before <= 1, 'it costs one more settlement');
  }
});

test('a target that tells late, but before another answers, is in the one settlement that there is', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: LIMITS });
  const [opened, open] = gate();
  const [second, openSecond] = gate();
  const first = answers(1, opened, [200, whole[0]], whole[1]);
  const other = answers(2, [200, SSE], words, second, `${ended}${chunk({ usage: USAGE })}${lastWord}`);
  const response = await ask(tenant, 'two', { stream: true });
  await other.came;
  open();
  assert.equal(await inTime(first.gone, 'the late answer is read'), true);
  openSecond();
  await response.text();
  const row = await world.settled(response);
  assert.deepEqual([used(row), row.truth, row.target, row.attempts], [told(twice(TOLD)), 'reported', 'p2/m', 2]);
});

test('of several targets whose time is up each is billed by what it tells; one that tells nothing stays estimated', TIMEOUT, async () => {
  const dear = 10 * costOf(TOLD);
  for (const [late, truth, least, most] of [
    [[[200, whole[0]], whole[1]], 'reported', dear + costOf(TOLD), dear + costOf(TOLD)],
    [[[200, 'application/json'], '{"half":'], 'estimated', dear + CAP * 2_000, dear + costOf({ input: 99, output: CAP })],
  ]) {
    const tenant = await world.tenant({ limits: LIMITS });
    const gates = [gate(), gate()];
    answers('dear', gates[0][0], [200, whole[0]], whole[1]);
    answers(2, gates[1][0], ...late);
    const response = await ask(tenant, 'dear');
    await refusal(response, 504, { code: 'upstream_timeout' });
    const estimate = await billed(tenant, response, 'estimated');
    gates.forEach(([, open]) => open());
    await eventually(async () => (await world.settled(response)).cost !== estimate.cost, 'the bill is corrected');
    const row = await billed(tenant, response, truth);
    assert.ok(row.cost >= least && row.cost <= most, `${least} <= ${row.cost} <= ${most}`);
  }
});

test('a target that tells late that it did nothing is free', TIMEOUT, async () => {
  for (const [stream, ...late] of [
    [false, [500, 'application/json'], '{"error":{"message":"no"}}'], [false, [429, 'text/plain'], 'no'],
    [false, [200, 'application/json'], '{"error":{"message":"overloaded"}}'],
    [true, [503, 'text/plain'], 'no'], [true, [200, SSE], 'data: {"error":{"message":"overloaded"}}\n\n'], [true, [200, SSE]],
  ]) {
    const tenant = await world.tenant({ limits: LIMITS });
    const [opened, open] = gate();
    answers(1, opened, ...late);
    const response = await ask(tenant, 'alone', { stream });
    await refusal(response, 504, { code: 'upstream_timeout' });
    await billed(tenant, response, 'estimated');
    open();
    const row = await billed(tenant, response, 'reported');
    assert.deepEqual([used(row), row.status], [told({ input: 0, output: 0 }), 504], JSON.stringify(late));
  }
});

test('a late answer that tells no usage leaves the estimate as it is', TIMEOUT, async () => {
  for (const [stream, ...late] of [
    [false, [200, 'application/json'], JSON.stringify(message('forty-two'))], [false, [504, 'text/plain'], 'no'], [false, [200, whole[0]], half(whole[1])[0]],
    [true, [200, SSE], words, ended, lastWord], [true, [200, SSE], words], [true, [200, 'application/json', { 'content-encoding': 'x' }], whole[1]],
  ]) {
    const tenant = await world.tenant({ limits: LIMITS });
    const [opened, open] = gate();
    const first = answers(1, opened, ...late);
    const response = await ask(tenant, 'alone', { stream });
    await refusal(response, 504, { code: 'upstream_timeout' });
    const estimate = await billed(tenant, response, 'estimated');
    const { rows_written: before } = await tenant.metrics();
    open();
    await inTime(first.gone, 'the late answer is read');
    assert.deepEqual(await billed(tenant, response, 'estimated'), estimate);
    assert.equal((await tenant.metrics()).rows_written, before, 'nothing more was settled');
  }
});

test('a late answer counts where the client of the one that came in time has left', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: LIMITS });
  const [opened, open] = gate();
  const leaving = new AbortController();
  answers(1, opened, [200, SSE], STREAM);
  answers(2, [200, SSE], words, { again: words });
  const response = await tenant.chat({ model: 'two', stream: true, max_tokens: CAP }, { signal: leaving.signal });
  await response.body.getReader().read();
  leaving.abort();
  const estimate = await world.settled(response);
  assert.equal(estimate.truth, 'estimated');
  open();
  const row = await eventually(async () => {
    const now = await world.settled(response);
    return now.truth !== 'estimated' && now;
  }, 'the bill is corrected');
  assert.ok(row.cost > costOf(TOLD) && row.cost < estimate.cost, `${costOf(TOLD)} < ${row.cost} < ${estimate.cost}`);
  assert.equal(row.truth, 'counted');
});

test('a native call that is answered late is billed by its usage', TIMEOUT, async () => {
  for (const [late, expected] of [
    [[[200, 'application/json'], `{"usage":{"input_tokens":${TOLD.input},"output_tokens":${TOLD.output}}}`], told()],
    [[[200, SSE], `data: {"usage":{"input_tokens":${TOLD.input},"output_tokens":${TOLD.output}}}\n\n`], told()],
    [[[503, 'text/plain'], 'no'], told({ input: 0, output: 0 })],
  ]) {
    const tenant = await world.tenant({ limits: LIMITS, passthrough: ['*'] });
    const [opened, open] = gate();
    answers(1, opened, ...late);
    const response = await tenant.post('/providers/p1/audio/speech', { input: 'hello' });
    await refusal(response, 504, { code: 'upstream_timeout' });
    const estimate = await billed(tenant, response, 'estimated');
    open();
    const row = await billed(tenant, response, 'reported');
    assert.deepEqual([used(row), row.status], [expected, 504]);
    assert.ok(row.cost < estimate.cost);
  }
});

for (const policy of ['drain', 'abort']) {
  test(`a client that leaves before an answer begins pays for what that tells, or for an estimate where it is to be stopped (${policy})`, TIMEOUT, async () => {
    const tenant = await world.tenant({ limits: LIMITS, on_disconnect: policy });
    const [opened, open] = gate();
    const leaving = new AbortController();
    const provider = answers('patient', [200, SSE], opened, STREAM);
    // It is given comments once it has waited for long.
    const response = await tenant.chat({ model: 'patient', stream: true, max_tokens: CAP }, { signal: leaving.signal });
    leaving.abort();
    const estimate = await billed(tenant, response, 'estimated');
    assert.equal(estimate.output, CAP);
    if (policy === 'abort') {
      await inTime(provider.gone, 'the provider is stopped');
      return;
    }
    open();
    assert.deepEqual(used(await billed(tenant, response, 'reported')), told());
  });
}
