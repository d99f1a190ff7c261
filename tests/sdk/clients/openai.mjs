// The official OpenAI SDK as a client of the gateway: chat completions, and Responses.

import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { PLACE, QUESTION, TOOL } from './script.mjs';

const connect = ({ url, key }) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const function_ = { type: 'function', function: { name: TOOL.name, description: TOOL.description, parameters: TOOL.schema } };
const user = (content) => ({ role: 'user', content });

export const chat = {
  name: 'openai, chat completions',
  connect,
  async whole(client, model) {
    const { choices, usage } = await client.chat.completions.create({ model, messages: [user(QUESTION)] });
    return { text: choices[0].message.content, finish: choices[0].finish_reason, input: usage.prompt_tokens, output: usage.completion_tokens };
  },
  async streamed(client, model) {
    const stream = client.chat.completions.stream({ model, messages: [user(QUESTION)], stream_options: { include_usage: true } });
    const { choices, usage } = await stream.finalChatCompletion();
    return { text: choices[0].message.content, finish: choices[0].finish_reason, input: usage.prompt_tokens, output: usage.completion_tokens };
  },
  async tools(client, model, stream) {
    const messages = [user(QUESTION)];
    const ask = (more) => (stream
      ? client.chat.completions.stream({ model, messages, ...more }).finalChatCompletion()
      : client.chat.completions.create({ model, messages, ...more }));
    const { message, finish_reason: finish } = (await ask({ tools: [function_] })).choices[0];
    const calls = message.tool_calls.map(({ id, function: { name, arguments: text } }) => ({ id, name, arguments: JSON.parse(text) }));
    messages.push(message, ...calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: '18 C' })));
    const answer = await ask({ tools: [function_] });
    return { calls, finish, text: answer.choices[0].message.content };
  },
  async schema(client, model) {
    const format = zodResponseFormat(PLACE, 'place');
    return (await client.chat.completions.parse({ model, messages: [user(QUESTION)], response_format: format })).choices[0].message.parsed;
  },
  abort: (client, model, signal) => client.chat.completions.create({ model, messages: [user(QUESTION)], stream: true }, { signal }),
  models: async (client) => (await Array.fromAsync(client.models.list())).map(({ id }) => id),
  fault: ({ status, error }) => ({ status, message: error?.message }),
  finishes: { stop: 'stop', tools: 'tool_calls', length: 'length' },
};

export const responses = {
  name: 'openai, Responses',
  connect,
  async whole(client, model) {
    const { output_text: text, status, usage } = await client.responses.create({ model, input: QUESTION });
    return { text, finish: status, input: usage.input_tokens, output: usage.output_tokens };
  },
  async streamed(client, model) {
    const { output_text: text, status, usage } = await client.responses.stream({ model, input: QUESTION }).finalResponse();
    return { text, finish: status, input: usage.input_tokens, output: usage.output_tokens };
  },
  async tools(client, model, stream) {
    const input = [user(QUESTION)];
    const tools = [{ type: 'function', name: TOOL.name, description: TOOL.description, parameters: TOOL.schema, strict: false }];
    const ask = () => (stream ? client.responses.stream({ model, input, tools }).finalResponse() : client.responses.create({ model, input, tools }));
    const { output, status: finish } = await ask();
    const calls = output.filter(({ type }) => type === 'function_call').map(({ call_id: id, name, arguments: text }) => ({ id, name, arguments: JSON.parse(text) }));
    input.push(...output, ...calls.map(({ id }) => ({ type: 'function_call_output', call_id: id, output: '18 C' })));
    return { calls, finish, text: (await ask()).output_text };
  },
  async schema(client, model) {
    const text = { format: { type: 'json_schema', name: 'place', schema: TOOL.schema, strict: true } };
    return JSON.parse((await client.responses.create({ model, input: QUESTION, text })).output_text);
  },
  abort: (client, model, signal) => client.responses.create({ model, input: QUESTION, stream: true }, { signal }),
  models: chat.models,
  fault: chat.fault,
  finishes: { stop: 'completed', tools: 'completed', length: 'incomplete' },
};
