// The official Google Gen AI SDK as a client of the gateway.

import { GoogleGenAI } from '@google/genai';
import { QUESTION, TOOL } from './script.mjs';

const told = ({ candidates, usageMetadata: usage }) => ({
  text: (candidates?.[0]?.content?.parts ?? []).filter(({ thought }) => !thought).map(({ text }) => text ?? '').join(''),
  finish: candidates?.[0]?.finishReason,
  input: usage?.promptTokenCount,
  output: (usage?.candidatesTokenCount ?? 0) + (usage?.thoughtsTokenCount ?? 0),
});

/** What the chunks of a stream add up to. */
async function whole(stream) {
  const parts = [];
  let last = {};
  for await (const chunk of stream) {
    parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []));
    const { finishReason } = chunk.candidates?.[0] ?? {};
    last = { finishReason: finishReason ?? last.finishReason, usageMetadata: chunk.usageMetadata ?? last.usageMetadata };
  }
  return { candidates: [{ content: { role: 'model', parts }, finishReason: last.finishReason }], usageMetadata: last.usageMetadata };
}

export const gemini = {
  name: 'google-genai, generateContent',
  connect: ({ url, key }) => new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url } }),
  whole: async ({ models }, model) => told(await models.generateContent({ model, contents: QUESTION })),
  streamed: async ({ models }, model) => told(await whole(await models.generateContentStream({ model, contents: QUESTION }))),
  async tools({ models }, model, stream) {
    const contents = [{ role: 'user', parts: [{ text: QUESTION }] }];
    const config = { tools: [{ functionDeclarations: [{ name: TOOL.name, description: TOOL.description, parametersJsonSchema: TOOL.schema }] }] };
    const ask = async () => (stream
      ? whole(await models.generateContentStream({ model, contents, config }))
      : models.generateContent({ model, contents, config }));
    const { candidates } = await ask();
    const calls = candidates[0].content.parts.filter(({ functionCall }) => functionCall).map(({ functionCall: { id, name, args } }) => ({ id, name, arguments: args }));
    const results = calls.map(({ id, name }) => ({ functionResponse: { id, name, response: { output: '18 C' } } }));
    contents.push(candidates[0].content, { role: 'user', parts: results });
    return { calls, finish: candidates[0].finishReason, text: told(await ask()).text };
  },
  async schema({ models }, model) {
    const config = { responseMimeType: 'application/json', responseJsonSchema: TOOL.schema };
    return JSON.parse((await models.generateContent({ model, contents: QUESTION, config })).text);
  },
  abort: ({ models }, model, abortSignal) => models.generateContentStream({ model, contents: QUESTION, config: { abortSignal } }),
  models: async ({ models }) => (await Array.fromAsync(await models.list())).map(({ name }) => name.replace(/^models\//, '')),
  fault: ({ status, message }) => ({ status, message }),
  finishes: { stop: 'STOP', tools: 'STOP', length: 'MAX_TOKENS' },
};
