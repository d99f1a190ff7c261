// Anthropic's own client, unmodified, talks to the scripted provider.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { startProvider } from './provider.mjs';
import { SIGNATURE } from './said.mjs';

let provider;
let client;
before(async () => {
  provider = await startProvider();
  client = new Anthropic({ baseURL: provider.url, apiKey: 'sk-ant-test', maxRetries: 0 });
});
beforeEach(() => provider.reset());
after(() => provider.stop());

const HI = { role: 'user', content: 'hi' };
const TOOLS = [{ name: 'get_weather', input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } }];
const ask = (model, more = {}) => ({ model, max_tokens: 100, messages: [HI], ...more });
const typesOf = async (model, more) => {
  const types = [];
  for await (const event of await client.messages.create({ ...ask(model, more), stream: true })) types.push(event.type);
  return types;
};

test('a message is whole, and its usage tells cached and written tokens beside the input', async () => {
  const message = await client.messages.create(ask('c3-i100-k30-w20'));
  assert.deepEqual(message.content, [{ type: 'text', text: 'the quick brown ', citations: null }]);
  assert.equal(message.stop_reason, 'end_turn');
  const { input_tokens, cache_read_input_tokens, cache_creation_input_tokens, output_tokens } = message.usage;
  assert.deepEqual([input_tokens, cache_read_input_tokens, cache_creation_input_tokens, output_tokens], [50, 30, 20, 3]);
  const [call] = await provider.until((calls) => calls[0]?.completed && calls);
  assert.deepEqual([call.dialect, call.auth, call.prompt_tokens, call.completion_tokens],
    ['anthropic', { authorization: 'Bearer sk-ant-test' }, 100, 3]);
});

test('a stream says the same as the whole, in the events and the order that Anthropic sends', async () => {
  assert.deepEqual(await typesOf('c2'), ['message_start', 'content_block_start', 'content_block_delta', 'content_block_delta', 'content_block_stop',
    'message_delta', 'message_stop']); // the client keeps pings to itself
  for (const model of ['c3-i100-k30-w20', 'c4-r3', 'tool', 'tools2', 'tools2-talk-c2-r2', 'refuse', 'filter', 'c3-cite', 'utf8-c8-split3']) {
    const whole = await client.messages.create(ask(model, { tools: TOOLS }));
    const streamed = await client.messages.stream(ask(model, { tools: TOOLS })).finalMessage();
    const plain = (message) => JSON.parse(JSON.stringify({
      ...message, id: '', parsed_output: null, content: message.content.map((block) => ({ ...block, id: '' })),
    }));
    assert.deepEqual(plain(streamed), plain(whole), model);
  }
});

test('thoughts are blocks that are signed, and are billed', async () => {
  const message = await client.messages.create(ask('c2-r3', { max_tokens: 2000, thinking: { type: 'enabled', budget_tokens: 1024 } }));
  assert.deepEqual(message.content[0], { type: 'thinking', thinking: 'think then think ', signature: SIGNATURE });
  assert.deepEqual([message.usage.output_tokens, message.usage.output_tokens_details.thinking_tokens], [5, 3]);
  const thoughts = [];
  const stream = client.messages.stream(ask('c2-r3')).on('thinking', (delta) => thoughts.push(delta));
  await stream.finalMessage();
  assert.deepEqual(thoughts, ['think ', 'then ', 'think ']);
  const hidden = await client.messages.create(ask('c2-r3', { thinking: { type: 'adaptive', display: 'omitted' } }));
  assert.deepEqual(hidden.content[0], { type: 'thinking', thinking: '', signature: SIGNATURE });
});

test('tools are called, one or two, until their results are given', async () => {
  const first = await client.messages.stream(ask('tools2', { tools: TOOLS })).finalMessage();
  assert.equal(first.stop_reason, 'tool_use');
  assert.deepEqual(first.content.map((block) => block.input), [{ city: 'Paris' }, { city: 'Oslo' }]);
  const results = first.content.map((block) => ({ type: 'tool_result', tool_use_id: block.id, content: '18 C' }));
  const messages = [HI, { role: 'assistant', content: first.content }, { role: 'user', content: results }];
  const second = await client.messages.create(ask('tools2-c1', { tools: TOOLS, messages }));
  assert.deepEqual([second.stop_reason, second.content[0].text], ['end_turn', 'the ']);
});

test('structured answers, refusals, citations and caps are told as Anthropic tells them', async () => {
  const format = { type: 'json_schema', schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false } };
  const json = await client.messages.create(ask('json', { output_config: { format } }));
  assert.equal(json.content[0].text, '{"city":"Paris"}');
  const refused = await client.messages.create(ask('refuse'));
  assert.deepEqual([refused.stop_reason, refused.stop_details.type], ['refusal', 'refusal']);
  const cited = await client.messages.stream(ask('c2-cite')).finalMessage();
  assert.equal(cited.content[0].citations[0].url, 'https://example.com/source');
  assert.equal((await client.messages.create(ask('c9', { max_tokens: 2 }))).stop_reason, 'max_tokens');
});

test('count_tokens tells the input that the same message is billed', async () => {
  const request = { model: 'c1', messages: [HI], system: 'Be brief.', tools: TOOLS };
  const { input_tokens } = await client.messages.countTokens(request);
  const message = await client.messages.create({ ...request, max_tokens: 1 });
  assert.equal(message.usage.input_tokens, input_tokens);
});

test('errors are Anthropic\'s, before the answer and inside a stream', async () => {
  await assert.rejects(client.messages.create(ask('fail529-ra7')), (error) => {
    assert.deepEqual([error.status, error.error.error.type, error.headers.get('retry-after')], [529, 'overloaded_error', '7']);
    assert.equal(error.requestID, error.error.request_id);
    return true;
  });
  await assert.rejects(client.messages.create(ask('fail429')), Anthropic.RateLimitError);
  await assert.rejects(typesOf('c5-err2'), /Overloaded/);
  await assert.rejects(typesOf('c5-cut2'));
  const unsaid = await typesOf('c1-nodone');
  assert.equal(unsaid.at(-1), 'message_delta');
});

test('the first version of the API leaves out what later versions tell as null', async () => {
  const old = new Anthropic({ baseURL: provider.url, apiKey: 'k', maxRetries: 0, defaultHeaders: { 'anthropic-version': '2023-06-01' } });
  const message = await old.messages.create(ask('c1'));
  assert.deepEqual([message.content, 'container' in message, message.stop_sequence], [[{ type: 'text', text: 'the ' }], false, null]);
});
