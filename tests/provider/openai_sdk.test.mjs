// OpenAI's own client, unmodified, talks to the scripted provider: Responses, Completions, and the words that Chat Completions has for them.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import OpenAI from 'openai';
import { startProvider } from './provider.mjs';
import { SIGNATURE } from './said.mjs';

let provider;
let client;
before(async () => {
  provider = await startProvider();
  client = new OpenAI({ baseURL: `${provider.url}/v1`, apiKey: 'sk-test', maxRetries: 0 });
});
beforeEach(() => provider.reset());
after(() => provider.stop());

const PARAMETERS = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
const TOOLS = [{ type: 'function', name: 'get_weather', strict: true, parameters: PARAMETERS }];
const MESSAGES = [{ role: 'user', content: 'hi' }];
const CHAT_TOOLS = [{ type: 'function', function: { name: 'get_weather', parameters: PARAMETERS } }];
const FORMAT = { type: 'json_schema', name: 'place', strict: true, schema: PARAMETERS };
const respond = (model, more = {}) => client.responses.create({ model, input: 'hi', ...more });
const streamed = (model, more = {}) => client.responses.stream({ model, input: 'hi', ...more }).finalResponse();
const eventsOf = async (model, more) => {
  const events = [];
  for await (const event of await respond(model, { stream: true, ...more })) events.push(event);
  return events;
};

test('a response is whole and tells its tokens', async () => {
  const response = await respond('c3-i100-k30-w20-r4', { instructions: 'Be brief.' });
  assert.deepEqual([response.status, response.output_text, response.instructions], ['completed', 'the quick brown ', 'Be brief.']);
  assert.deepEqual(response.usage, {
    input_tokens: 100, input_tokens_details: { cached_tokens: 30, cache_write_tokens: 20 },
    output_tokens: 7, output_tokens_details: { reasoning_tokens: 4 }, total_tokens: 107,
  });
  const [call] = await provider.until((calls) => calls[0]?.completed && calls);
  assert.deepEqual([call.dialect, call.prompt_tokens, call.completion_tokens, call.usage], ['responses', 100, 7, response.usage]);
});

test('a stream numbers its events, opens and closes all it says, and ends with the response', async () => {
  const events = await eventsOf('c2');
  assert.deepEqual(events.map((event) => event.type.replace('response.', '')), ['created', 'in_progress', 'output_item.added', 'content_part.added',
    'output_text.delta', 'output_text.delta', 'output_text.done', 'content_part.done', 'output_item.done', 'completed']);
  assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, index) => index));
  assert.equal((await eventsOf('c2-tool')).at(-1).response.output[0].type, 'function_call');
  assert.equal((await eventsOf('c2-nodone')).at(-1).type, 'response.output_item.done');
});

test('a stream adds up to the whole', async () => {
  const plain = ({ output, status, incomplete_details, usage }) => JSON.parse(JSON.stringify({ output, status, incomplete_details, usage }, (key, value) => (
    ['id', 'call_id', 'parsed', 'parsed_arguments', 'parsed_output'].includes(key) ? undefined : value)));
  const more = { tools: TOOLS, reasoning: { effort: 'high', summary: 'auto' }, include: ['reasoning.encrypted_content'] };
  for (const model of ['c3', 'c3-r4', 'tool', 'tools2', 'tools2-talk-c2-r2', 'refuse', 'filter', 'c3-cite', 'c8-utf8-split3']) {
    assert.deepEqual(plain(await streamed(model, more)), plain(await respond(model, more)), model);
  }
});

test('thoughts are an item: summarised and sealed only when that is asked for', async () => {
  const [bare] = (await respond('c1-r3')).output;
  assert.deepEqual([bare.type, bare.summary, bare.encrypted_content], ['reasoning', [], undefined]);
  const [told] = (await streamed('c1-r3', { reasoning: { summary: 'auto' }, include: ['reasoning.encrypted_content'], store: false })).output;
  assert.deepEqual([told.summary, told.encrypted_content], [[{ type: 'summary_text', text: 'think then think ' }], SIGNATURE]);
});

test('tools are called, one or two, until their results are given', async () => {
  const first = await streamed('tools2-r2', { tools: TOOLS });
  const calls = first.output.filter((item) => item.type === 'function_call');
  assert.deepEqual(calls.map((call) => JSON.parse(call.arguments)), [{ city: 'Paris' }, { city: 'Oslo' }]);
  const results = calls.map((call) => ({ type: 'function_call_output', call_id: call.call_id, output: '18 C' }));
  const history = first.output.map(({ parsed_arguments, ...item }) => item);
  const input = [{ role: 'user', content: 'hi' }, ...history, ...results];
  assert.equal((await respond('tools2-c1', { tools: TOOLS, input })).output_text, 'the ');
});

test('structured answers, refusals, citations and caps are told as Responses tells them', async () => {
  assert.deepEqual((await client.responses.parse({ model: 'json', input: 'hi', text: { format: FORMAT } })).output_parsed, { city: 'Paris' });
  assert.equal((await streamed('refuse')).output[0].content[0].type, 'refusal');
  assert.equal((await streamed('c2-cite')).output[0].content[0].annotations[0].url, 'https://example.com/source');
  const capped = await streamed('c9', { max_output_tokens: 2 });
  assert.deepEqual([capped.status, capped.incomplete_details.reason, capped.output_text], ['incomplete', 'max_output_tokens', 'the quick ']);
  assert.equal((await respond('filter')).incomplete_details.reason, 'content_filter');
});

test('input tokens are those that the same response is billed', async () => {
  const request = { model: 'c1', input: [{ role: 'user', content: [{ type: 'input_text', text: 'hi there' }] }], tools: TOOLS };
  const { input_tokens } = await client.responses.inputTokens.count(request);
  assert.equal((await respond('c1', request)).usage.input_tokens, input_tokens);
});

test('errors are OpenAI\'s, before the answer and inside a stream', async () => {
  await assert.rejects(respond('fail503'), (error) => error.status === 503 && error.code === 'server_is_overloaded');
  await assert.rejects(eventsOf('c5-err2'), /server had an error/);
  await assert.rejects(eventsOf('c5-cut2'));
  await assert.rejects(respond('c1', { frequency: 1 }), /Unknown parameter: 'frequency'/);
});

test('chat tells parallel calls, refusals, citations, structured answers and thoughts', async () => {
  const chat = (model, more = {}) => client.chat.completions.create({ model, messages: MESSAGES, tools: CHAT_TOOLS, ...more });
  const stream = (model, more = {}) => client.chat.completions.stream({ model, messages: MESSAGES, tools: CHAT_TOOLS, ...more }).finalChatCompletion();
  for (const ask of [chat, stream]) {
    const { message, finish_reason } = (await ask('tools2-talk-c2')).choices[0];
    assert.deepEqual([finish_reason, message.content], ['tool_calls', 'the quick ']);
    assert.deepEqual(message.tool_calls.map((call) => JSON.parse(call.function.arguments)), [{ city: 'Paris' }, { city: 'Oslo' }]);
    assert.equal(new Set(message.tool_calls.map((call) => call.id)).size, 2);
    assert.equal((await ask('refuse')).choices[0].message.refusal, 'I\'m sorry, but I can\'t help with that.');
    assert.equal((await ask('c2-cite')).choices[0].message.annotations[0].url_citation.url, 'https://example.com/source');
    const json = { response_format: { type: 'json_schema', json_schema: { name: 'place', schema: PARAMETERS } }, tools: undefined };
    assert.equal((await ask('json', json)).choices[0].message.content, '{"city":"Paris"}');
    assert.equal((await ask('c1-r2-aloud')).choices[0].message.reasoning_content, 'think then ');
  }
  assert.equal((await chat('filter')).choices[0].finish_reason, 'content_filter');
});

test('legacy completions answer every prompt, whole and streamed', async () => {
  const whole = await client.completions.create({ model: 'c3-i9', prompt: ['a', 'b'], n: 2 });
  assert.deepEqual([whole.choices.length, whole.choices[3].text, whole.usage.completion_tokens], [4, 'the quick brown ', 12]);
  assert.equal((await client.completions.create({ model: 'c99', prompt: 'a' })).choices[0].finish_reason, 'length');
  let text = '';
  let usage = null;
  for await (const chunk of await client.completions.create({ model: 'c3', prompt: [1, 2], stream: true, stream_options: { include_usage: true } })) {
    text += chunk.choices[0]?.text ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.deepEqual([text, usage.prompt_tokens, usage.completion_tokens], ['the quick brown ', 2, 3]);
});
