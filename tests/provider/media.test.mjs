// OpenAI's own client, unmodified: pictures, sound, moderation, files and batches; and reranking.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { startProvider } from './provider.mjs';

let provider;
let client;
before(async () => {
  provider = await startProvider();
  client = new OpenAI({ baseURL: `${provider.url}/v1`, apiKey: 'sk-test', maxRetries: 0 });
});
beforeEach(() => provider.reset());
after(() => provider.stop());

const sound = (bytes) => toFile(Buffer.alloc(bytes, 7), 'speech.mp3', { type: 'audio/mpeg' });
async function eventsOf(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

test('pictures are made and edited, and tell their tokens', async () => {
  const made = await client.images.generate({ model: 'c50-i9', prompt: 'a cat', n: 2 });
  assert.deepEqual([made.data.length, Buffer.from(made.data[0].b64_json, 'base64').toString('latin1', 1, 4)], [2, 'PNG']);
  assert.deepEqual(made.usage, { input_tokens: 9, input_tokens_details: { image_tokens: 0, text_tokens: 9 }, output_tokens: 100, total_tokens: 109 });
  const image = await toFile(Buffer.from('not a picture'), 'cat.png', { type: 'image/png' });
  const edited = await client.images.edit({ model: 'c50-i9', prompt: 'a hat', image: [image, image] });
  assert.equal(edited.usage.input_tokens_details.image_tokens, 2);
  const [, call] = await provider.until((calls) => calls.length === 2 && calls[1].completed && calls);
  assert.deepEqual([call.body.prompt, call.body.image[0].filename, call.body.image[0].bytes], ['a hat', 'cat.png', 13]);
  const events = await eventsOf(await client.images.generate({ model: 'c50', prompt: 'a cat', stream: true, partial_images: 2 }));
  assert.deepEqual(events.map((event) => event.type.split('.')[1]), ['partial_image', 'partial_image', 'completed']);
  await provider.until((calls) => calls.length === 3 && calls[2].completed && calls[2].completion_tokens === 50);
});

test('speech is bytes, or events', async () => {
  const spoken = await client.audio.speech.create({ model: 'c3', voice: 'alloy', input: 'Hello.', response_format: 'wav' });
  assert.deepEqual([spoken.headers.get('content-type'), (await spoken.arrayBuffer()).byteLength], ['audio/wav', 300]);
  const told = await (await client.audio.speech.create({ model: 'c3', voice: 'alloy', input: 'Hello.', stream_format: 'sse' })).text();
  assert.deepEqual([told.match(/speech\.audio\.delta/g).length, told.match(/"output_tokens":(\d+)/)[1]], [3, '3']);
});

test('a transcription is billed by the token or by the second, in every format', async () => {
  const ask = async (model, more = {}) => client.audio.transcriptions.create({ model, file: await sound(4_500), ...more });
  const byToken = await ask('c3');
  assert.deepEqual([byToken.text, byToken.usage.type, byToken.usage.input_tokens, byToken.usage.output_tokens], ['the quick brown ', 'tokens', 5, 3]);
  assert.deepEqual((await ask('whisper-c3')).usage, { type: 'duration', seconds: 5 });
  const verbose = await ask('whisper-c3', { response_format: 'verbose_json' });
  assert.deepEqual([verbose.duration, verbose.segments.length], [5, 1]);
  assert.equal(await ask('whisper-c3', { response_format: 'text' }), 'the quick brown \n');
  assert.match(await ask('whisper-c3', { response_format: 'vtt' }), /^WEBVTT\n\n00:00:00.000 --> 00:00:05.000/);
  const events = await eventsOf(await ask('c3', { stream: true }));
  assert.deepEqual([events.length, events.at(-1).text, events.at(-1).usage.output_tokens], [4, 'the quick brown ', 3]);
});

test('inputs are moderated and documents ranked', async () => {
  const { results } = await client.moderations.create({ input: ['hello', 'attack them'] });
  assert.deepEqual(results.map((result) => [result.flagged, result.categories.violence]), [[false, false], [true, true]]);
  const rank = async (path) => (await fetch(provider.url + path, {
    method: 'POST', body: JSON.stringify({ model: 'rank-i7', query: 'red cat', documents: ['a dog', { text: 'a red cat' }, 'a cat'], top_n: 2 }),
  })).json();
  const ranked = await rank('/v1/rerank');
  assert.deepEqual(ranked.results.map((result) => [result.index, result.document.text]), [[1, 'a red cat'], [2, 'a cat']]);
  assert.equal(ranked.usage.total_tokens, 7);
  assert.equal((await rank('/v2/rerank')).meta.billed_units.search_units, 1);
});

test('files come back as they were, and are gone when deleted', async () => {
  const file = await client.files.create({ file: await toFile(Buffer.from('one\r\n--two\r\n'), 'lines.jsonl'), purpose: 'batch' });
  assert.deepEqual([file.filename, file.bytes, file.purpose], ['lines.jsonl', 12, 'batch']);
  assert.equal(await (await client.files.content(file.id)).text(), 'one\r\n--two\r\n');
  assert.equal((await client.files.retrieve(file.id)).id, file.id);
  assert.deepEqual((await client.files.list({ purpose: 'batch' })).data.map((one) => one.id), [file.id]);
  assert.equal((await client.files.delete(file.id)).deleted, true);
  await assert.rejects(client.files.retrieve(file.id), { status: 404 });
});

test('a batch answers each line of its file', async () => {
  const line = (custom_id, model) => JSON.stringify({ custom_id, method: 'POST', url: '/v1/chat/completions', body: { model, messages: [{ role: 'user', content: 'hi' }] } });
  const file = await client.files.create({ file: await toFile(Buffer.from([line('a', 'c3-i9'), line('b', 'fail400')].join('\n')), 'in.jsonl'), purpose: 'batch' });
  const batch = await client.batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' });
  assert.equal(batch.status, 'validating');
  assert.equal((await client.batches.retrieve(batch.id)).status, 'in_progress');
  const done = await client.batches.retrieve(batch.id);
  assert.deepEqual([done.status, done.request_counts, done.usage.output_tokens], ['completed', { total: 2, completed: 1, failed: 1 }, 3]);
  const [said] = (await (await client.files.content(done.output_file_id)).text()).trim().split('\n').map((row) => JSON.parse(row));
  assert.deepEqual([said.custom_id, said.response.body.choices[0].message.content], ['a', 'the quick brown ']);
  assert.match(await (await client.files.content(done.error_file_id)).text(), /"custom_id":"b"/);
  const other = await client.batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' });
  assert.equal((await client.batches.cancel(other.id)).status, 'cancelling');
  assert.equal((await client.batches.list()).data.length, 2);
});
