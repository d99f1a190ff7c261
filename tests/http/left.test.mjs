// Clients that leave when they have what they came for, before the usage is told: what was hidden is billed all the same. And native
// answers whose usage is hard to find, or missing.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { HELLO, inTime, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 60_000 };
const HELD = 100_000_000;
const USAGE = { input: 7, output: 5_000 };
let world;
let steps;

const sse = (...list) => list.map((data) => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`).join('');
const named = (...list) => list.map((data) => `event: ${data.type}\n${sse(data)}`).join('');
const chunk = (delta, finish = null, more = {}) => ({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }], ...more });
const told = { prompt_tokens: 7, completion_tokens: 5_000, total_tokens: 5_007 };
const openai = {
  begun: sse(chunk({ role: 'assistant', content: '' })), text: sse(chunk({ content: 'forty-two' })), thought: sse(chunk({ reasoning_content: 'hm' })),
  ended: sse(chunk({}, 'stop')), usage: sse({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage: told }, '[DONE]'),
};
const block = (index, delta) => ({ type: 'content_block_delta', index, delta });
const anthropic = {
  begun: named({ type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], usage: { input_tokens: 7, output_tokens: 1 } } }),
  text: named({ type: 'content_block_start', index: 1, content_block: { type: 'text', text: '' } }, block(1, { type: 'text_delta', text: 'forty-two' })),
  thought: named({ type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } }, block(0, { type: 'thinking_delta', thinking: 'hm' }), { type: 'content_block_stop', index: 0 }),
  ended: named({ type: 'content_block_stop', index: 1 }),
  usage: named({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 5_000 } }, { type: 'message_stop' }),
};
const candidate = (part, more = {}) => ({ candidates: [{ index: 0, content: { role: 'model', parts: [part] }, ...more }], modelVersion: 'm', responseId: 'r' });
const gemini = {
  begun: '', text: sse(candidate({ text: 'forty-two' })), thought: sse(candidate({ text: 'hm', thought: true })), ended: sse(candidate({ text: '' }, { finishReason: 'STOP' })),
  usage: sse({ ...candidate({ text: '' }, { finishReason: 'STOP' }), usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 3, thoughtsTokenCount: 4_997, totalTokenCount: 5_007 } }),
};
const event = (type, more) => ({ type: `response.${type}`, ...more });
const responses = {
  begun: named(event('created', { response: { id: 'r', model: 'm', status: 'in_progress', usage: null } })),
  text: named(event('output_item.added', { output_index: 1, item: { type: 'message', id: 'i', role: 'assistant', content: [] } }),
    event('output_text.delta', { output_index: 1, content_index: 0, item_id: 'i', delta: 'forty-two' })),
  thought: named(event('output_item.added', { output_index: 0, item: { type: 'reasoning', id: 't', summary: [] } }),
    event('reasoning_summary_text.delta', { output_index: 0, summary_index: 0, item_id: 't', delta: 'hm' })),
  ended: named(event('output_item.done', { output_index: 1, item: { type: 'message', id: 'i', role: 'assistant', content: [{ type: 'output_text', text: 'forty-two', annotations: [] }] } })),
  usage: named(event('completed', { response: { id: 'r', model: 'm', status: 'completed', output: [], usage: { input_tokens: 7, output_tokens: 5_000, total_tokens: 5_007 } } })),
};
const DIALECTS = { openai, anthropic, gemini, responses };

/**
 * A provider that answers each call by the steps that are queued: text is sent, a promise is waited for, `cut` breaks the connection,
 * a list is sent again and again.
 */
async function startSteps() {
  const queue = [];
  const server = createServer(async (req, res) => {
    req.resume();
    const { type, list } = queue.shift();
    res.writeHead(200, { 'content-type': type });
    for (const step of list) {
      if (step === 'cut') return res.destroy();
      if (typeof step === 'string') res.write(step);
      else if (!Array.isArray(step)) await step;
      else for (; !res.destroyed; await new Promise((next) => setTimeout(next, 10))) res.write(step[0]);
      if (res.destroyed) return undefined;
    }
    return res.end();
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${server.address().port}/v1`,
    next: (type, ...list) => queue.push({ type, list }),
    stop: () => new Promise((done) => server.close(done).closeAllConnections()),
  };
}

before(async () => {
  [world, steps] = await Promise.all([startWorld(), startSteps()]);
  const provider = (dialect) => [`p-${dialect}`, { dialect, base_url: steps.url, price_list: 'none' }];
  const names = Object.keys(DIALECTS);
  await world.catalog(Object.fromEntries(names.map((name) => [name, { targets: [{ provider: `p-${name}`, model: 'm' }], max_output: 9_000 }])), {
    providers: Object.fromEntries(names.map(provider)),
    prices: Object.fromEntries(names.map((name) => [`p-${name}/*`, { input: '1', output: '2' }])),
  });
});

after(async () => {
  await world.stop();
  await steps.stop();
});

/** Sends a body, reads its answer until `enough` came, and leaves: the call's id. `go` is called then. */
async function leave(tenant, path, body, enough, go = () => {}) {
  const leaving = new AbortController();
  const response = await inTime(tenant.post(path, body, { signal: leaving.signal }), 'the stream begins');
  assert.equal(response.status, 200);
  const reader = response.body.getReader();
  let text = '';
  while (!text.includes(enough)) {
    const { value, done } = await inTime(reader.read(), `${enough} comes; there is ${text}`);
    assert.ok(!done, `the stream ended with ${text}`);
    text += Buffer.from(value).toString();
  }
  leaving.abort();
  await reader.closed.catch(() => {});
  go();
  return response.headers.get('x-request-id');
}

/** A promise and what fulfils it. */
function gate() {
  let open;
  const opened = new Promise((done) => { open = done; });
  return [opened, open];
}

const stream = (model, more = {}) => ({ model, stream: true, messages: HELLO, ...more });

for (const [dialect, frames] of Object.entries(DIALECTS)) {
  test(`a client that leaves a provider of ${dialect} when all is said pays for what was thought, whatever its policy says`, TIMEOUT, async () => {
    const tenant = await world.tenant({ on_disconnect: 'abort' });
    for (const [what, before, more, enough] of [
      ['every choice has ended', [frames.begun, frames.text, frames.ended, ...(dialect === 'anthropic' ? [frames.thought] : [])], {}, 'forty-two'],
      ['a thought was shown', [frames.begun, frames.thought, frames.text], {}, 'forty-two'],
      ['it was asked to think', [frames.begun, frames.text], { reasoning_effort: 'high' }, 'forty-two'],
    ]) {
      const [opened, open] = gate();
      steps.next('text/event-stream', ...before, opened, frames.usage);
      const row = await world.settled(await leave(tenant, '/v1/chat/completions', stream(dialect, more), enough, open));
      assert.deepEqual([row.truth, row.input, row.output], ['reported', USAGE.input, USAGE.output], what);
    }
  });

  test(`a provider of ${dialect} that is left in the middle of plain text is stopped, and what came is billed`, TIMEOUT, async () => {
    const tenant = await world.tenant({ on_disconnect: 'abort' });
    steps.next('text/event-stream', frames.begun, [frames.text]);
    const row = await world.settled(await leave(tenant, '/v1/chat/completions', stream(dialect), 'forty-two'));
    assert.ok(row.output >= 1 && row.output < USAGE.output && row.input >= 1 && row.truth !== 'reported', JSON.stringify(row));
  });
}

test('a stream of any dialect that its provider cuts is billed what was told, or what was seen, within what was held', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: [{ name: 'budget', what: 'cost', window: 'lifetime', max: '100' }] });
  const strange = {
    openai: sse(chunk({ unheard_of: { words: 'forty-two' } })), anthropic: named(block(1, { type: 'unheard_of_delta', words: 'forty-two' })),
    gemini: sse(candidate({ unheardOf: { words: 'forty-two' } })), responses: named(event('unheard_of.delta', { delta: 'forty-two' })),
  };
  for (const [dialect, frames] of Object.entries(DIALECTS)) {
    const all = [frames.begun, frames.thought, strange[dialect], frames.text, frames.ended, frames.usage];
    for (let came = 1; came <= all.length; came += 1) {
      const [opened, open] = gate();
      // The end of a whole frame is known by the one that follows.
      steps.next('text/event-stream', ...all.slice(0, came), ': still here\n\n', opened, 'cut');
      // Until an answer begins the client is sent nothing of it.
      if (came === 1) open();
      const response = await tenant.post('/v1/chat/completions', stream(dialect, { max_tokens: 8_000 }));
      const reader = response.body.getReader();
      let text = '';
      for (let step = {}; !step.done; ) {
        step = await inTime(reader.read().catch(() => ({ done: true })), `${dialect} goes on after ${text}`);
        text += step.done ? '' : Buffer.from(step.value).toString();
        if (text.includes('still here')) open();
      }
      const row = await world.settled(response);
      const what = `${dialect}, ${came} steps: ${JSON.stringify(row)}`;
      const seen = all.slice(1, Math.min(came, 4)).length;
      if (came === all.length) assert.deepEqual([row.truth, row.input, row.output], ['reported', USAGE.input, USAGE.output], what);
      else assert.ok(row.cost > 0 && row.output >= seen && row.output <= 8_000 && row.cost <= row.held_cost && row.truth !== 'reported', what);
    }
  }
});

/** A native call whose answer comes in these steps, read to its end or to `enough`; its row. A gate opens when that much was read. */
async function native(tenant, type, list, enough = null) {
  const [opened, open] = gate();
  steps.next(type, ...list.map((step) => (step === 'gate' ? opened : step)));
  if (enough !== null) return world.settled(await leave(tenant, '/providers/p-openai/audio/speech', {}, enough, open));
  const response = await tenant.post('/providers/p-openai/audio/speech', {});
  const reader = response.body.getReader();
  for (let step = {}; !step.done; open()) step = await reader.read().catch(() => ({ done: true }));
  return world.settled(response);
}

test('of a native answer the usage is read whatever its size and its form, and when its client has left', TIMEOUT, async () => {
  const tenant = await world.tenant({ passthrough: ['*'], on_disconnect: 'abort' });
  const usage = '"usage":{"input_tokens":7,"output_tokens":5000}';
  const long = 'QUJD'.repeat(1_500_000);
  const numbers = `${'0.123456789,'.repeat(300_000)}1`;
  const whole = `{"data":[{"embedding":[${numbers}]}],"us\\u0061ge":{"input_tokens":7,"output_tokens":5000}}`;
  const parts = JSON.stringify({ usageMetadata: { promptTokenCount: 7 } });
  const last = JSON.stringify({ usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 5_000 } });
  for (const [what, type, list, enough] of [
    ['JSON of 3.6 MB', 'application/json', [whole]],
    ['an event of 6 MB', 'text/event-stream', [sse(`{"b64_json":"${long}",${usage}}`)]],
    ['a list', 'application/json', [`[${parts},`, `\n${last}]`]],
    ['lines', 'application/x-ndjson', [`${parts}\n${last}\n`]],
    ['a stream that is left', 'text/event-stream', [sse({ audio: 'QUJD' }), 'gate', sse(`{"type":"done",${usage}}`)], 'QUJD'],
    ['JSON that is left', 'application/json', ['{"data":"QUJD",', 'gate', `${usage}}`], 'QUJD'],
  ]) {
    const row = await native(tenant, type, list, enough);
    assert.deepEqual([row.truth, row.input, row.output, row.cost], ['reported', 7, 5_000, 7 * 1_000 + 5_000 * 2_000], what);
  }
});

test('a native answer without a usage is billed what was held, at least', TIMEOUT, async () => {
  const tenant = await world.tenant({ passthrough: ['*'], limits: [{ name: 'budget', what: 'cost', window: 'lifetime', max: '100' }] });
  const begun = sse({ type: 'message_start', message: { model: 'm', usage: { input_tokens: 7, output_tokens: 1 } } });
  let total = 0;
  for (const [what, type, list, enough] of [
    ['text', 'text/plain', ['hello']],
    ['sound', 'audio/wav', ['RIFF']],
    ['nothing', 'application/json', []],
    ['JSON', 'application/json', ['{"text":"hello"}']],
    ['events', 'text/event-stream', [sse({ audio: 'QUJD' }, '[DONE]')]],
    ['JSON that is cut', 'application/json', ['{"text":"hello",', 'gate', 'cut']],
    ['events that are cut', 'text/event-stream', [begun, sse({ delta: { text: 'hi' } }), 'gate', 'cut']],
    ['sound that is left', 'audio/wav', [['RIFF']], 'RIFF'],
    ['events that end without it once their client has left', 'text/event-stream', [sse({ audio: 'QUJD' }), 'gate', sse({ audio: 'QUJD' })], 'QUJD'],
  ]) {
    const row = await native(tenant, type, list, enough);
    assert.notEqual(row.truth, 'reported', what);
    assert.equal(row.cost, HELD, what);
    total += HELD;
  }
  assert.equal((await tenant.limit('budget')).used, `${total / 1e9}`);
});
