// The scripted provider keeps its promises: exact bodies, exact tokens, faults where the script says.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startProvider } from './provider.mjs';

const HI = [{ role: 'user', content: 'hi' }];
let provider;
before(async () => { provider = await startProvider(); });
beforeEach(() => provider.reset());
after(() => provider.stop());

const post = (path, body, headers = {}) => fetch(provider.url + path, {
  method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body),
});
const chat = (model, more = {}, headers = {}) => post('/v1/chat/completions', { model, messages: HI, ...more }, headers);
const events = async (response) => (await response.text()).split('\n\n').filter(Boolean).map((line) => line.slice('data: '.length));
const chunksOf = async (response) => (await events(response)).filter((data) => data !== '[DONE]').map((data) => JSON.parse(data));
const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');

test('a whole answer has every field, and says the tokens it used', async () => {
  const answer = await (await chat('c3-i9-k4', { n: 2 })).json();
  assert.equal(answer.object, 'chat.completion');
  assert.equal(answer.choices.length, 2);
  assert.deepEqual(answer.choices[1], {
    index: 1, message: { role: 'assistant', content: 'the quick brown ', refusal: null, annotations: [] }, logprobs: null, finish_reason: 'stop',
  });
  assert.deepEqual([answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens], [9, 6, 15]);
  assert.equal(answer.usage.prompt_tokens_details.cached_tokens, 4);
  const [call] = await provider.until((calls) => calls[0]?.completed && calls);
  assert.deepEqual([call.status, call.prompt_tokens, call.completion_tokens], [200, 9, 6]);
});

test('a stream tells its usage exactly when asked to', async () => {
  const plain = await events(await chat('c2', { stream: true }));
  assert.equal(plain.at(-1), '[DONE]');
  assert.equal(plain.length, 1 + 2 + 1 + 1);
  assert.ok(plain.every((data) => !data.includes('"usage"')));

  const told = await chunksOf(await chat('c2', { stream: true, stream_options: { include_usage: true } }));
  assert.ok(told.slice(0, -1).every((chunk) => chunk.usage === null));
  assert.deepEqual(told.at(-1).choices, []);
  assert.equal(told.at(-1).usage.completion_tokens, 2);
  assert.equal(new Set(told.map((chunk) => chunk.id)).size, 1);
  assert.equal(textOf(told), 'the quick ');
});

test('an output cap ends the answer with "length"', async () => {
  assert.equal((await (await chat('c9', { max_completion_tokens: 4 })).json()).choices[0].finish_reason, 'length');
  const chunks = await chunksOf(await chat('c9', { max_tokens: 4, stream: true }));
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'length');
  assert.equal(textOf(chunks), 'the quick brown fox ');
});

test('a tool is called, whole and streamed, until its result is given', async () => {
  const tools = [{ type: 'function', function: { name: 'look_up', parameters: {} } }];
  const [whole] = (await (await chat('tool', { tools })).json()).choices;
  assert.equal(whole.finish_reason, 'tool_calls');
  assert.deepEqual(whole.message.tool_calls[0].function, { name: 'look_up', arguments: '{"city":"Paris"}' });
  const chunks = await chunksOf(await chat('tool', { tools, stream: true }));
  const pieces = chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []).map((call) => call.function.arguments);
  assert.equal(pieces.join(''), '{"city":"Paris"}');
  const after = await (await chat('tool', { tools, messages: [...HI, { role: 'tool', tool_call_id: 'x', content: '21' }] })).json();
  assert.equal(after.choices[0].finish_reason, 'stop');
});

test('the same bytes come however they are cut', async () => {
  const same = async (model) => (await (await chat(model, { stream: true })).text()).replace(/"(id|created|model)":("[^"]*"|\d+)/g, '');
  assert.equal(await same('c6-utf8-split3'), await same('c6-utf8'));
  assert.match(await same('c6-utf8'), /🙂/);
});

test('errors, their retry-after, and the queue of steps', async () => {
  const refused = await chat('fail429-ra7-quota');
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('retry-after'), '7');
  assert.equal((await refused.json()).error.code, 'insufficient_quota');
  provider.script('x', ['fail500', 'c3']);
  const statuses = [];
  for (let nth = 0; nth < 3; nth += 1) statuses.push((await chat('x')).status);
  assert.deepEqual(statuses, [500, 200, 200]);
  assert.deepEqual(provider.calls().slice(1).map((call) => call.completion_tokens), [0, 3, 10]);
  assert.deepEqual([(await chat('failonce503')).status, (await chat('failonce503')).status], [503, 200]);
  assert.equal((await chat('c1', {}, { 'x-script': 'fail404' })).status, 404);
});

test('flaky fails the exact share', async () => {
  let failed = 0;
  for (let nth = 0; nth < 20; nth += 1) failed += (await chat('flaky25')).status === 500 ? 1 : 0;
  assert.equal(failed, 5);
});

test('cuts, stalls, hangs and bad JSON happen where the script says', async () => {
  await assert.rejects(async () => (await chat('c9-cut2', { stream: true })).text());
  await assert.rejects(async () => (await chat('cut1')).text());
  await assert.rejects(chat('reset'));
  assert.ok(provider.calls().every((call) => call.cut && !call.aborted));
  assert.deepEqual([provider.calls()[0].chunks, provider.calls()[0].completion_tokens], [2, 2]);
  await assert.rejects(async () => (await chat('badjson')).json(), SyntaxError);

  const leave = new AbortController();
  const hung = fetch(`${provider.url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify({ model: 'hang', messages: HI }), signal: leave.signal });
  const stalled = await chat('c9-stall3', { stream: true });
  await provider.until((calls) => calls.some((call) => call.chunks === 3) && calls.some((call) => call.model === 'hang'));
  leave.abort();
  await assert.rejects(hung);
  await stalled.body.cancel();
  await provider.until((calls) => calls.filter((call) => call.aborted).length === 2);
  assert.equal(provider.stats().aborted, 2);
});

test('parts of the usage are told as OpenAI tells them, whole and streamed, and by the request itself', async () => {
  const words = 'c6-i100-k30-w20-ai10-r4-ao2';
  const told = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };
  const check = (usage) => {
    assert.deepEqual({ ...usage, prompt_tokens_details: undefined, completion_tokens_details: undefined }, {
      ...told, prompt_tokens_details: undefined, completion_tokens_details: undefined });
    assert.deepEqual(usage.prompt_tokens_details, { cached_tokens: 30, audio_tokens: 10, cache_write_tokens: 20 });
    assert.deepEqual([usage.completion_tokens_details.reasoning_tokens, usage.completion_tokens_details.audio_tokens], [8, 4]);
  };
  check((await (await chat(words, { n: 2 })).json()).usage);
  const own = { n: 2, stream: true, stream_options: { include_usage: true }, metadata: { script: words } };
  check((await chunksOf(await chat('m', own))).at(-1).usage);
  const [whole, streamed] = await provider.until((calls) => calls.length === 2 && calls.every((call) => call.completed) && calls);
  for (const call of [whole, streamed]) {
    check(call.usage);
    assert.deepEqual([call.prompt_tokens, call.completion_tokens], [100, 20]);
  }
  const capped = (await (await chat('c6-r4', { max_tokens: 3 })).json());
  assert.deepEqual([capped.usage.completion_tokens, capped.choices[0].message.content, capped.choices[0].finish_reason], [3, '', 'length']);
});

/** All that comes over a connection that asks for one answer. */
function rawAnswer(body) {
  const text = JSON.stringify({ messages: HI, ...body });
  const socket = connect({ host: '127.0.0.1', port: provider.port });
  const parts = [];
  socket.on('data', (part) => parts.push(part));
  socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  return once(socket, 'close').then(() => Buffer.concat(parts));
}

test('an answer can be cut after any byte, and what was sent before arrives', async () => {
  for (const stream of [false, true]) {
    const ask = (bytes) => rawAnswer({ model: 'c2', stream, stream_options: { include_usage: true }, metadata: { script: `byte${bytes}` } });
    const whole = await ask(99_999);
    assert.match(whole.toString(), stream ? /data: \[DONE\]\n\n\r\n0\r\n\r\n$/ : /"system_fingerprint":"[^"]*"}$/);
    assert.equal(provider.calls().at(-1).usage.completion_tokens, 2);
    const told = stream ? whole.indexOf('data: [DONE]') : whole.length; // the usage is told once so many bytes have come
    for (const bytes of [0, 1, 60, 200, told - 1, told]) {
      assert.equal((await ask(bytes)).length, bytes);
      assert.equal(provider.calls().at(-1).usage?.completion_tokens, bytes === told ? 2 : undefined);
    }
    assert.equal((await ask(whole.length)).length, whole.length);
    if (!stream) continue;
    const first = whole.indexOf('the ');
    await ask(whole.indexOf('\n\n', first) + 1);
    assert.equal(provider.calls().at(-1).chunks, 0);
    await ask(whole.indexOf('\n\n', first) + 2);
    assert.deepEqual([provider.calls().at(-1).chunks, provider.calls().at(-1).completion_tokens], [1, 1]);
  }
});

test('embeddings as numbers and as base64', async () => {
  const ask = async (more) => (await post('/v1/embeddings', { model: 'embed-i5', input: ['a', 'b'], dimensions: 4, ...more })).json();
  const plain = await ask({});
  assert.deepEqual(plain.usage, { prompt_tokens: 5, total_tokens: 5 });
  const packed = Buffer.from((await ask({ encoding_format: 'base64' })).data[1].embedding, 'base64');
  assert.deepEqual(Array.from({ length: 4 }, (_, at) => packed.readFloatLE(at * 4)), plain.data[1].embedding);
});

test('what cannot be answered is refused in OpenAI\'s words', async () => {
  assert.equal((await post('/v1/chat/completions', { messages: HI })).status, 400);
  assert.equal((await (await post('/v1/chat/completions', { model: 'c1' })).json()).error.param, 'messages');
  assert.equal((await fetch(`${provider.url}/v1/nothing`)).status, 404);
  assert.equal((await (await fetch(`${provider.url}/v1/models`)).json()).data[0].id, 'demo');
});

test('the control API tells and forgets', async () => {
  await (await chat('c1', {}, { 'x-client-request-id': 'call-1', authorization: 'Bearer k' })).json();
  const told = await (await fetch(`${provider.url}/__calls?call=call-1&raw=1`)).json();
  assert.equal(told.calls[0].authorization, 'Bearer k');
  assert.equal(told.calls[0].headers['x-client-request-id'], 'call-1');
  assert.deepEqual(JSON.parse(told.calls[0].raw), told.calls[0].body);
  await post('/__quiet', { quiet: true });
  await (await chat('c1')).json();
  assert.equal(provider.calls().length, 1);
  assert.equal((await (await fetch(`${provider.url}/__stats`)).json()).requests, 2);
  await post('/__reset', {});
  assert.equal(provider.calls().length, 0);
});

test('as a program it says where it listens', async () => {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./main.mjs', import.meta.url)), '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const { value: line } = await createInterface(child.stdout)[Symbol.asyncIterator]().next();
  const [, url] = /^ready (http:\/\/127\.0\.0\.1:\d+)$/.exec(line);
  assert.equal((await fetch(`${url}/v1/models`)).status, 200);
  child.kill();
});
