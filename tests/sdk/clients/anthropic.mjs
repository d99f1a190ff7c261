// The official Anthropic SDK as a client of the gateway.

import Anthropic from '@anthropic-ai/sdk';
import { QUESTION, TOOL } from './script.mjs';

const textOf = (content) => content.filter(({ type }) => type === 'text').map(({ text }) => text).join('');
const user = (content) => ({ role: 'user', content });

export const messages = {
  name: 'anthropic, Messages',
  connect: ({ url, key }) => new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 }),
  async whole(client, model) {
    const { content, stop_reason: finish, usage } = await client.messages.create({ model, max_tokens: 200, messages: [user(QUESTION)] });
    return { text: textOf(content), finish, input: usage.input_tokens, output: usage.output_tokens };
  },
  async streamed(client, model) {
    const { content, stop_reason: finish, usage } = await client.messages.stream({ model, max_tokens: 200, messages: [user(QUESTION)] }).finalMessage();
    return { text: textOf(content), finish, input: usage.input_tokens, output: usage.output_tokens };
  },
  async tools(client, model, stream) {
    const said = [user(QUESTION)];
    const tools = [{ name: TOOL.name, description: TOOL.description, input_schema: TOOL.schema }];
    const ask = () => {
      const body = { model, max_tokens: 200, tools, messages: said };
      return stream ? client.messages.stream(body).finalMessage() : client.messages.create(body);
    };
    const { content, stop_reason: finish } = await ask();
    const calls = content.filter(({ type }) => type === 'tool_use').map(({ id, name, input }) => ({ id, name, arguments: input }));
    said.push({ role: 'assistant', content }, user(calls.map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: '18 C' }))));
    return { calls, finish, text: textOf((await ask()).content) };
  },
  async schema(client, model) {
    const format = { type: 'json_schema', schema: TOOL.schema };
    const { content } = await client.messages.create({ model, max_tokens: 200, messages: [user(QUESTION)], output_config: { format } });
    return JSON.parse(textOf(content));
  },
  abort: (client, model, signal) => client.messages.create({ model, max_tokens: 200, messages: [user(QUESTION)], stream: true }, { signal }),
  models: async (client) => (await Array.fromAsync(client.models.list())).map(({ id }) => id),
  fault: ({ status, error }) => ({ status, message: error?.error?.message }),
  finishes: { stop: 'end_turn', tools: 'tool_use', length: 'max_tokens' },
};
