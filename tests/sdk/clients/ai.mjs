// Vercel's AI SDK with its OpenAI and Anthropic providers as clients of the gateway.

import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { Output, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import { QUESTION, TOOL } from './script.mjs';

const QUIET = { maxRetries: 0, prompt: QUESTION };
const told = async ({ text, finishReason, totalUsage }) => {
  const usage = await totalUsage;
  return { text: await text, finish: await finishReason, input: usage.inputTokens, output: usage.outputTokens };
};

function clientOf(name, connect) {
  return {
    name,
    connect,
    whole: async (provider, model) => told(await generateText({ ...QUIET, model: provider(model) })),
    streamed: async (provider, model) => {
      const stream = streamText({ ...QUIET, model: provider(model) });
      await stream.consumeStream();
      return told(stream);
    },
    async tools(provider, model, stream) {
      const calls = [];
      const execute = (given, { toolCallId }) => {
        calls.push({ id: toolCallId, name: TOOL.name, arguments: given });
        return '18 C';
      };
      const tools = { [TOOL.name]: tool({ description: TOOL.description, inputSchema: jsonSchema(TOOL.schema), execute }) };
      const ask = { ...QUIET, model: provider(model), tools, stopWhen: stepCountIs(2) };
      if (!stream) return { calls, text: (await generateText(ask)).text };
      const answer = streamText(ask);
      await answer.consumeStream();
      return { calls, text: await answer.text };
    },
    async schema(provider, model) {
      const output = Output.object({ schema: jsonSchema(TOOL.schema), name: 'place' });
      return (await generateText({ ...QUIET, model: provider(model), output })).output;
    },
    abort: async (provider, model, abortSignal) => streamText({ ...QUIET, model: provider(model), abortSignal, onError() {} }).textStream,
    fault: ({ statusCode, message }) => ({ status: statusCode, message }),
    finishes: { stop: 'stop', length: 'length' },
  };
}

export const aiOpenai = clientOf('ai, OpenAI chat', ({ url, key }) => {
  const provider = createOpenAI({ baseURL: `${url}/v1`, apiKey: key });
  return (model) => provider.chat(model);
});
export const aiResponses = clientOf('ai, OpenAI Responses', ({ url, key }) => {
  const provider = createOpenAI({ baseURL: `${url}/v1`, apiKey: key });
  return (model) => provider.responses(model);
});
export const aiAnthropic = clientOf('ai, Anthropic', ({ url, key }) => createAnthropic({ baseURL: `${url}/v1`, apiKey: key }));
