// The AI SDK, unmodified, talks to the scripted provider in three dialects and reads the same from each.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { generateObject, generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { startProvider } from './provider.mjs';

let provider;
let models;
before(async () => {
  provider = await startProvider();
  const baseURL = `${provider.url}/v1`;
  const openai = createOpenAI({ baseURL, apiKey: 'sk-test' });
  const anthropic = createAnthropic({ baseURL, apiKey: 'sk-ant-test' });
  models = { chat: openai.chat, responses: openai.responses, anthropic };
});
beforeEach(() => provider.reset());
after(() => provider.stop());

const weather = tool({ description: 'The weather', inputSchema: z.object({ city: z.string() }), execute: ({ city }) => `18 C in ${city}` });

for (const dialect of ['chat', 'responses', 'anthropic']) {
  const ask = (name, more = {}) => ({ model: models[dialect](name), prompt: 'hi', maxRetries: 0, ...more });

  test(`${dialect}: text and usage, whole and streamed`, async () => {
    const whole = await generateText(ask('c3-i100'));
    assert.deepEqual([whole.text, whole.finishReason, whole.usage.inputTokens, whole.usage.outputTokens], ['the quick brown ', 'stop', 100, 3]);
    const streamed = streamText(ask('c3-i100'));
    let text = '';
    for await (const delta of streamed.textStream) text += delta;
    const usage = await streamed.usage;
    assert.deepEqual([text, usage.inputTokens, usage.outputTokens], ['the quick brown ', 100, 3]);
    assert.equal(provider.calls()[0].dialect, dialect);
  });

  test(`${dialect}: tools go round, one or two, whole and streamed`, async () => {
    const more = { tools: { get_weather: weather }, stopWhen: stepCountIs(3) };
    for (const [name, cities] of [['tool-c1', ['Paris']], ['tools2-c1', ['Paris', 'Oslo']]]) {
      const whole = await generateText(ask(name, more));
      assert.deepEqual(whole.steps[0].toolCalls.map((call) => call.input.city), cities);
      assert.equal(whole.text, 'the ');
      const streamed = streamText(ask(name, more));
      await streamed.consumeStream();
      assert.deepEqual([(await streamed.steps).length, await streamed.text], [2, 'the ']);
    }
  });

  test(`${dialect}: structured answers`, async () => {
    const { object } = await generateObject(ask('json', { schema: z.object({ city: z.string() }) }));
    assert.deepEqual(object, { city: 'Paris' });
  });

  test(`${dialect}: an error inside a stream is told`, async () => {
    const errors = [];
    const streamed = streamText(ask('c5-err2', { onError: ({ error }) => errors.push(error) }));
    await streamed.consumeStream();
    assert.equal(errors.length, 1);
  });
}
