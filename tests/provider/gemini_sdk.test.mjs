// Google's own client, unmodified, talks to the scripted provider.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { ApiError, GoogleGenAI } from '@google/genai';
import { startProvider } from './provider.mjs';
import { SIGNATURE } from './said.mjs';

let provider;
let client;
before(async () => {
  provider = await startProvider();
  client = new GoogleGenAI({ apiKey: 'AIza-test', httpOptions: { baseUrl: provider.url } });
});
beforeEach(() => provider.reset());
after(() => provider.stop());

const DECLARATION = { name: 'get_weather', parameters: { type: 'OBJECT', properties: { city: { type: 'STRING' } }, required: ['city'] } };
const TOOLS = [{ functionDeclarations: [DECLARATION] }];
const ask = (model, config = {}, contents = 'hi') => client.models.generateContent({ model, contents, config });
async function chunksOf(model, config = {}, contents = 'hi') {
  const chunks = [];
  for await (const chunk of await client.models.generateContentStream({ model, contents, config })) chunks.push(chunk);
  return chunks;
}
const partsOf = (answers) => answers.flatMap((answer) => answer.candidates?.[0]?.content?.parts ?? []);

test('an answer is whole, and tells its thoughts\' tokens beside the candidates\'', async () => {
  const answer = await ask('c3-i100-k30-r4');
  assert.equal(answer.text, 'the quick brown ');
  const { promptTokenCount, cachedContentTokenCount, candidatesTokenCount, thoughtsTokenCount, totalTokenCount } = answer.usageMetadata;
  assert.deepEqual([promptTokenCount, cachedContentTokenCount, candidatesTokenCount, thoughtsTokenCount, totalTokenCount], [100, 30, 3, 4, 107]);
  const [call] = await provider.until((calls) => calls[0]?.completed && calls);
  assert.deepEqual([call.dialect, call.model, call.auth, call.completion_tokens], ['gemini', 'c3-i100-k30-r4', { 'x-goog-api-key': 'AIza-test' }, 7]);
});

test('a stream adds up to the whole, and every chunk tells the usage so far', async () => {
  const chunks = await chunksOf('c3');
  assert.deepEqual(chunks.map((chunk) => chunk.usageMetadata.candidatesTokenCount), [1, 2, 3, 3]);
  assert.deepEqual(chunks.map((chunk) => chunk.candidates[0].finishReason), [undefined, undefined, undefined, 'STOP']);
  for (const model of ['c3', 'c3-r2', 'utf8-c8-split3', 'c3-cite', 'refuse']) {
    const config = { thinkingConfig: { includeThoughts: true } };
    const [whole, streamed] = [await ask(model, config), await chunksOf(model, config)];
    const text = (answers, thought) => partsOf(answers).filter((part) => (part.thought ?? false) === thought).map((part) => part.text).join('');
    for (const thought of [false, true]) assert.equal(text(streamed, thought), text([whole], thought), model);
    assert.equal(streamed.at(-1).candidates[0].finishReason, whole.candidates[0].finishReason);
    assert.deepEqual(streamed.at(-1).usageMetadata, whole.usageMetadata);
  }
});

test('without alt=sse a stream is one JSON array', async () => {
  const stream = async (model) => (await fetch(`${provider.url}/v1beta/models/${model}:streamGenerateContent`, {
    method: 'POST', headers: { 'x-goog-api-key': 'k' }, body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'hi' }] }] }),
  })).json();
  assert.equal(partsOf(await stream('c3')).map((part) => part.text).join(''), 'the quick brown ');
  assert.equal((await stream('c3-err2')).at(-1).error.status, 'UNAVAILABLE');
  assert.equal((await stream('tool-err2')).length, 1);
});

test('thoughts are told only when asked for, and what follows them is signed', async () => {
  const plain = partsOf([await ask('c1-r2')]);
  assert.deepEqual(plain, [{ text: 'the ', thoughtSignature: SIGNATURE }]);
  const told = partsOf([await ask('c1-r2', { thinkingConfig: { includeThoughts: true } })]);
  assert.deepEqual(told[0], { text: 'think then ', thought: true });
  const called = partsOf(await chunksOf('tools2-r2', { tools: TOOLS })).filter((part) => part.functionCall);
  assert.deepEqual(called.map((part) => part.thoughtSignature), [SIGNATURE, undefined]);
});

test('functions are called, one or two, until their results are given', async () => {
  const first = await ask('tools2', { tools: TOOLS });
  assert.deepEqual(first.functionCalls.map((call) => call.args), [{ city: 'Paris' }, { city: 'Oslo' }]);
  const results = first.functionCalls.map(({ id, name }) => ({ functionResponse: { id, name, response: { output: '18 C' } } }));
  const contents = [{ role: 'user', parts: [{ text: 'hi' }] }, first.candidates[0].content, { role: 'user', parts: results }];
  assert.equal((await ask('tools2-c1', { tools: TOOLS }, contents)).text, 'the ');
});

test('structured answers, blocks, citations, caps and candidates are told as Gemini tells them', async () => {
  const schema = { responseMimeType: 'application/json', responseJsonSchema: { type: 'object', properties: { city: { type: 'string' } } } };
  assert.equal((await ask('json', schema)).text, '{"city":"Paris"}');
  assert.equal((await ask('filter')).promptFeedback.blockReason, 'PROHIBITED_CONTENT');
  assert.equal((await chunksOf('filter')).at(-1).promptFeedback.blockReason, 'PROHIBITED_CONTENT');
  assert.equal((await ask('c2-cite')).candidates[0].groundingMetadata.groundingChunks[0].web.uri, 'https://example.com/source');
  assert.equal((await ask('c9', { maxOutputTokens: 2 })).candidates[0].finishReason, 'MAX_TOKENS');
  assert.deepEqual((await ask('c2', { candidateCount: 2 })).candidates.map((candidate) => candidate.index), [0, 1]);
});

test('tokens are counted, contents embedded and models listed', async () => {
  const { totalTokens } = await client.models.countTokens({ model: 'c1', contents: 'hello there' });
  assert.equal((await ask('c1', {}, 'hello there')).usageMetadata.promptTokenCount, totalTokens);
  const many = await client.models.embedContent({ model: 'embed', contents: ['a', 'b'], config: { outputDimensionality: 4 } });
  assert.deepEqual(many.embeddings.map((one) => one.values.length), [4, 4]);
  const names = [];
  for await (const model of await client.models.list()) names.push(model.name);
  assert.equal(names[0], 'models/demo');
  assert.equal((await client.models.get({ model: 'demo' })).inputTokenLimit, 1_048_576);
});

test('errors are Google\'s, before the answer and inside a stream', async () => {
  const told = (status, word) => (error) => error instanceof ApiError && error.status === status && error.message.includes(word);
  await assert.rejects(ask('fail429'), told(429, 'RESOURCE_EXHAUSTED'));
  await assert.rejects(ask('fail503'), told(503, 'UNAVAILABLE'));
  await assert.rejects(chunksOf('c5-err2'), /UNAVAILABLE/);
  await assert.rejects(chunksOf('c5-cut2'));
});
