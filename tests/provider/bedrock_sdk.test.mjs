// Amazon's own client, unmodified, talks to the scripted provider: it signs its requests and checks every sum of a stream.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand, ThrottlingException, ValidationException } from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { AWS_KEY, admit } from './keys/aws.mjs';
import { startProvider } from './provider.mjs';
import { SIGNATURE } from './said.mjs';

let provider;
let client;
// Left to itself the client speaks HTTP/2.
const clientFor = (credentials) => new BedrockRuntimeClient({
  region: 'eu-west-1', endpoint: provider.url, credentials, maxAttempts: 1, requestHandler: new NodeHttpHandler(),
});
before(async () => {
  provider = await startProvider();
  client = clientFor(AWS_KEY);
});
beforeEach(() => provider.reset());
after(async () => {
  client.destroy();
  await provider.stop();
});

const HI = { role: 'user', content: [{ text: 'hi' }] };
const toolConfig = { tools: [{ toolSpec: { name: 'get_weather', inputSchema: { json: { type: 'object', properties: { city: { type: 'string' } } } } } }] };
const ask = (modelId, more = {}, by = client) => by.send(new ConverseCommand({ modelId, messages: [HI], ...more }));
async function eventsOf(modelId, more = {}) {
  const events = [];
  const { stream } = await client.send(new ConverseStreamCommand({ modelId, messages: [HI], ...more }));
  for await (const event of stream) events.push(event);
  return events;
}

test('an answer is whole, and tells cached and written tokens beside the input', async () => {
  const answer = await ask('anthropic.model-c3-i100-k30-w20-v1:0');
  assert.deepEqual(answer.output.message.content, [{ text: 'the quick brown ' }]);
  assert.equal(answer.stopReason, 'end_turn');
  assert.deepEqual(answer.usage, { inputTokens: 50, outputTokens: 3, totalTokens: 103, cacheReadInputTokens: 30, cacheWriteInputTokens: 20 });
  const [call] = await provider.until((calls) => calls[0]?.completed && calls);
  assert.deepEqual([call.dialect, call.model, call.prompt_tokens], ['bedrock', 'anthropic.model-c3-i100-k30-w20-v1:0', 100]);
  assert.match(call.auth.authorization, /^AWS4-HMAC-SHA256 Credential=AKIATEST\//);
});

test('a stream comes in the events and the order that Bedrock sends, however it is cut', async () => {
  const names = (events) => events.map((event) => Object.keys(event)[0]);
  const order = ['messageStart', 'contentBlockDelta', 'contentBlockDelta', 'contentBlockStop', 'messageStop', 'metadata'];
  for (const model of ['c2', 'c2-split7']) assert.deepEqual(names(await eventsOf(model)), order);
  const events = await eventsOf('tools2-r2', { toolConfig });
  const deltas = events.flatMap((event) => event.contentBlockDelta ?? []);
  const inputs = [1, 2].map((index) => deltas.filter((one) => one.contentBlockIndex === index).map((one) => one.delta.toolUse.input).join(''));
  assert.deepEqual(inputs, ['{"city":"Paris"}', '{"city":"Oslo"}']);
  assert.equal(deltas.find((one) => one.delta.reasoningContent?.signature).delta.reasoningContent.signature, SIGNATURE);
  assert.deepEqual(events.at(-1).metadata.usage, (await ask('tools2-r2', { toolConfig })).usage);
  assert.equal((await eventsOf('c2-cite')).flatMap((event) => event.contentBlockDelta?.delta.citation ?? [])[0].location.web.url, 'https://example.com/source');
});

test('tools are used, one or two, until their results are given', async () => {
  const first = await ask('tools2-r1', { toolConfig });
  assert.equal(first.stopReason, 'tool_use');
  const results = first.output.message.content.filter((block) => block.toolUse).map(({ toolUse }) => (
    { toolResult: { toolUseId: toolUse.toolUseId, content: [{ text: '18 C' }], status: 'success' } }));
  const messages = [HI, first.output.message, { role: 'user', content: results }];
  assert.deepEqual((await ask('tools2-c1', { toolConfig, messages })).output.message.content, [{ text: 'the ' }]);
});

test('structured answers, declines, citations and caps are told as Bedrock tells them', async () => {
  const outputConfig = { textFormat: { type: 'json_schema', structure: { jsonSchema: { name: 'place', schema: '{"type":"object"}' } } } };
  assert.equal((await ask('json', { outputConfig })).output.message.content[0].text, '{"city":"Paris"}');
  assert.equal((await ask('refuse')).stopReason, 'content_filtered');
  assert.equal((await ask('filter')).stopReason, 'guardrail_intervened');
  assert.equal((await ask('c2-cite')).output.message.content[0].citationsContent.citations[0].location.web.domain, 'example.com');
  assert.equal((await ask('c9', { inferenceConfig: { maxTokens: 2 } })).stopReason, 'max_tokens');
});

test('errors are Bedrock\'s, before the answer and inside a stream', async () => {
  await assert.rejects(ask('fail429'), ThrottlingException);
  await assert.rejects(ask('c1', { messages: [{ role: 'assistant', content: [{ text: 'x' }] }] }), ValidationException);
  await assert.rejects(eventsOf('c5-err2'), { name: 'ModelStreamErrorException' });
  await assert.rejects(eventsOf('c5-cut2'));
});

test('a request whose signature does not fit is refused', async () => {
  await assert.rejects(ask('c1', {}, clientFor({ ...AWS_KEY, secretAccessKey: 'another' })), { name: 'InvalidSignatureException' });
  await assert.rejects(ask('c1', {}, clientFor({ ...AWS_KEY, accessKeyId: 'AKIAOTHER' })), { name: 'UnrecognizedClientException' });
  await ask('arn:aws:bedrock:eu-west-1:1:inference-profile/c1');
  const { raw, headers, path } = provider.calls().at(-1);
  const again = (change) => admit({ req: { method: 'POST', url: path, headers }, raw, ...change })?.headers['x-amzn-errortype'] ?? 'fits';
  assert.equal(again({}), 'fits');
  for (const [change, name] of [
    [{ raw: Buffer.from(`${raw} `) }, 'InvalidSignatureException'],
    [{ req: { method: 'POST', url: `${path}-stream`, headers } }, 'InvalidSignatureException'],
    [{ req: { method: 'POST', url: path, headers: { ...headers, host: 'elsewhere' } } }, 'InvalidSignatureException'],
    [{ req: { method: 'POST', url: path, headers: { ...headers, 'x-amz-date': '20200101T000000Z' } } }, 'InvalidSignatureException'],
    [{ req: { method: 'POST', url: path, headers: {} } }, 'MissingAuthenticationTokenException'],
  ]) assert.equal(again(change), name);
  assert.equal((await fetch(provider.url + path, { method: 'POST', body: '{}' })).status, 403);
});
