// What the tests of real upstreams share: one call by each official SDK, told in the same words.

import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';

const openai = ({ url, key }) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const user = (content) => [{ role: 'user', content }];
const textOf = (content) => content.filter(({ type }) => type === 'text').map(({ text }) => text).join('');

function chatBody({ model, prompt, cap, schema, tool }) {
  return {
    model,
    messages: user(prompt),
    ...(cap && { max_tokens: cap }),
    ...(schema && { response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } } }),
    ...(tool && { tools: [{ type: 'function', function: { name: tool.name, parameters: tool.schema } }], tool_choice: 'required' }),
  };
}

function responsesBody({ model, prompt, cap, schema, tool }) {
  return {
    model,
    input: prompt,
    ...(cap && { max_output_tokens: cap }),
    ...(schema && { text: { format: { type: 'json_schema', name: 'answer', schema, strict: true } } }),
    ...(tool && { tools: [{ type: 'function', name: tool.name, parameters: tool.schema, strict: false }], tool_choice: 'required' }),
  };
}

function messagesBody({ model, prompt, cap = 100, schema, tool }) {
  return {
    model,
    messages: user(prompt),
    max_tokens: cap,
    ...(schema && { output_config: { format: { type: 'json_schema', schema } } }),
    ...(tool && { tools: [{ name: tool.name, input_schema: tool.schema }], tool_choice: { type: 'any' } }),
  };
}

function geminiBody({ model, prompt, cap, schema, tool, signal }) {
  const functionDeclarations = tool && [{ name: tool.name, parametersJsonSchema: tool.schema }];
  const config = {
    maxOutputTokens: cap,
    abortSignal: signal,
    ...(schema && { responseMimeType: 'application/json', responseJsonSchema: schema }),
    ...(tool && { tools: [{ functionDeclarations }], toolConfig: { functionCallingConfig: { mode: 'ANY' } } }),
  };
  return { model, contents: prompt, config };
}

/** What the chunks of Gemini's stream add up to. */
async function whole(stream) {
  const parts = [];
  let last = {};
  for await (const { candidates, usageMetadata } of stream) {
    parts.push(...(candidates?.[0]?.content?.parts ?? []));
    last = { finishReason: candidates?.[0]?.finishReason ?? last.finishReason, usageMetadata: usageMetadata ?? last.usageMetadata };
  }
  return { candidates: [{ content: { parts }, finishReason: last.finishReason }], usageMetadata: last.usageMetadata };
}

/**
 * The official SDKs; OpenAI's twice, as it speaks two dialects. `ask` is { model, prompt, cap, schema, tool: { name, schema }, signal }.
 *
 * call   one call, whole or streamed, as { text, calls: [{ name, given }], end, input, output }; `input` has what was cached of it
 * begin  a stream as the SDK hands it out, which `signal` ends, and `piece` is the text of one of its events
 * ends   the words for an answer that came to its end, to a tool or to its cap
 * fault  what an error of the SDK tells, as { status, kind, message }
 */
export const CLIENTS = {
  openai: {
    async call(to, ask, stream) {
      const body = chatBody(ask);
      const { completions } = openai(to).chat;
      const streamed = () => completions.stream({ ...body, stream_options: { include_usage: true } }).finalChatCompletion();
      const { choices: [{ message, finish_reason: end }], usage } = stream ? await streamed() : await completions.create(body);
      const calls = (message.tool_calls ?? []).map(({ function: { name, arguments: given } }) => ({ name, given: JSON.parse(given) }));
      return { text: message.content ?? '', calls, end, input: usage.prompt_tokens, output: usage.completion_tokens };
    },
    begin: (to, { signal, ...ask }) => openai(to).chat.completions.create({ ...chatBody(ask), stream: true }, { signal }),
    ends: { itself: 'stop', tool: 'tool_calls', cap: 'length' },
    fault: ({ status, error }) => ({ status, kind: error.type, message: error.message }),
    piece: ({ choices }) => choices[0]?.delta.content,
  },
  'openai responses': {
    async call(to, ask, stream) {
      const body = responsesBody(ask);
      const { responses } = openai(to);
      const { output, output_text: text, status: end, usage } = stream ? await responses.stream(body).finalResponse() : await responses.create(body);
      const asked = output.filter(({ type }) => type === 'function_call');
      const calls = asked.map(({ name, arguments: given }) => ({ name, given: JSON.parse(given) }));
      return { text, calls, end, input: usage.input_tokens, output: usage.output_tokens };
    },
    begin: (to, { signal, ...ask }) => openai(to).responses.create({ ...responsesBody(ask), stream: true }, { signal }),
    ends: { itself: 'completed', tool: 'completed', cap: 'incomplete' },
    fault: ({ status, error }) => ({ status, kind: error.type, message: error.message }),
    piece: ({ type, delta }) => type === 'response.output_text.delta' && delta,
  },
  anthropic: {
    async call({ url, key }, ask, stream) {
      const { messages } = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
      const body = messagesBody(ask);
      const { content, stop_reason: end, usage } = stream ? await messages.stream(body).finalMessage() : await messages.create(body);
      const calls = content.filter(({ type }) => type === 'tool_use').map(({ name, input: given }) => ({ name, given }));
      const input = usage.input_tokens + (usage.cache_read_input_tokens ?? 0);
      return { text: textOf(content), calls, end, input, output: usage.output_tokens };
    },
    begin: ({ url, key }, { signal, ...ask }) =>
      new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 }).messages.create({ ...messagesBody(ask), stream: true }, { signal }),
    ends: { itself: 'end_turn', tool: 'tool_use', cap: 'max_tokens' },
    fault: ({ status, error: { error } }) => ({ status, kind: error.type, message: error.message }),
    piece: ({ type, delta }) => type === 'content_block_delta' && delta.text,
  },
  gemini: {
    async call({ url, key }, ask, stream) {
      const { models } = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url } });
      const body = geminiBody(ask);
      const answer = stream ? await whole(await models.generateContentStream(body)) : await models.generateContent(body);
      const { candidates: [{ content: { parts }, finishReason: end }], usageMetadata: usage } = answer;
      const calls = parts.filter(({ functionCall }) => functionCall).map(({ functionCall: { name, args: given } }) => ({ name, given }));
      const text = parts.map(({ text: piece }) => piece ?? '').join('');
      return { text, calls, end, input: usage.promptTokenCount, output: usage.candidatesTokenCount };
    },
    begin: ({ url, key }, ask) =>
      new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url } }).models.generateContentStream(geminiBody(ask)),
    ends: { itself: 'STOP', tool: 'STOP', cap: 'MAX_TOKENS' },
    fault: ({ status, message }) => ({ status, kind: JSON.parse(message).error.status, message: JSON.parse(message).error.message }),
    piece: ({ text }) => text,
  },
};
