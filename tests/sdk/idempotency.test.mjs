// The official OpenAI SDK for Node, unmodified, with an Idempotency-Key on its calls.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { HELLO, startWorld } from '../http/support.mjs';

const TIMEOUT = { timeout: 30_000 };
const ASKED = { model: 'chat', messages: HELLO };
const TEN_WORDS = 'the quick brown fox jumps over the lazy dog while ';
let world;
let tenant;

before(async () => {
  world = await startWorld();
  await world.catalog({ chat: 'c10', late: 'c10-l500', flaky: 'failonce500', huge: 'c10-s10000000' });
  tenant = await world.tenant();
});
after(() => world.stop());

/** An SDK that counts its requests. */
function client(options = {}) {
  const requests = [];
  const fetch = (url, init) => {
    requests.push(new Headers(init.headers).get('idempotency-key'));
    return globalThis.fetch(url, init);
  };
  return Object.assign(new OpenAI({ apiKey: tenant.key, baseURL: `${world.url}/v1`, fetch, ...options }), { requests });
}

const under = (name) => ({ headers: { 'Idempotency-Key': name } });

async function content(stream) {
  let text = '';
  for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? '';
  return text;
}

test('a call that is sent twice under one name gives the first one\'s answer, whole or streamed', TIMEOUT, async () => {
  const sdk = client();
  world.provider.reset();
  const [first, second] = [await sdk.chat.completions.create(ASKED, under('whole')), await sdk.chat.completions.create(ASKED, under('whole'))];
  assert.deepEqual({ ...second, _request_id: null }, { ...first, _request_id: null });
  const streamed = { ...ASKED, stream: true };
  const open = () => sdk.chat.completions.create(streamed, under('stream')).withResponse();
  const [one, two] = await Promise.all([open(), open()]);
  assert.deepEqual([await content(one.data), await content(two.data)], [TEN_WORDS, TEN_WORDS]);
  const replayed = [one, two].map(({ response }) => response.headers.get('idempotent-replayed'));
  assert.deepEqual(replayed.toSorted(), ['true', null].toSorted(), 'one of them led');
  assert.equal(world.provider.calls().length, 2);
});

test('the SDK\'s own option sends the header, and its own retries repeat the name', TIMEOUT, async () => {
  const sdk = client();
  sdk.idempotencyHeader = 'Idempotency-Key';
  world.provider.reset();
  const answer = await sdk.chat.completions.create({ ...ASKED, model: 'flaky' }, { idempotencyKey: 'retried' });
  assert.equal(answer.choices[0].finish_reason, 'stop');
  assert.deepEqual(sdk.requests, ['retried', 'retried'], 'a provider\'s failure frees the name');
  assert.equal(world.provider.calls().length, 2);
});

test('a call that the SDK gives up and sends again is made and billed once', TIMEOUT, async () => {
  const sdk = client();
  world.provider.reset();
  const options = { ...under('timeout'), timeout: 300, maxRetries: 4 };
  const answer = await sdk.chat.completions.create({ ...ASKED, model: 'late' }, options);
  assert.equal(answer.choices[0].message.content, TEN_WORDS);
  assert.ok(sdk.requests.length > 1, 'it ran out of time at first');
  assert.equal(world.provider.calls().length, 1);
  const [{ call }] = world.provider.calls();
  assert.equal((await world.settled(call)).output, 10);
  assert.equal((await tenant.usage()).periods.lifetime.total.calls, (await world.ledger()).length);
});

test('what is refused under a name is an error of the SDK\'s, and is not sent again', TIMEOUT, async () => {
  const sdk = client();
  await sdk.chat.completions.create(ASKED, under('taken'));
  await sdk.chat.completions.create({ ...ASKED, model: 'huge' }, under('huge'));
  const before = sdk.requests.length;
  for (const [body, name, kind, status, code] of [
    [{ ...ASKED, n: 2 }, 'taken', OpenAI.UnprocessableEntityError, 422, 'idempotency_key_conflict'],
    [{ ...ASKED, model: 'huge' }, 'huge', OpenAI.ConflictError, 409, 'idempotency_answer_not_kept'],
    [ASKED, 'two words', OpenAI.BadRequestError, 400, 'invalid_idempotency_key'],
  ]) {
    const error = await sdk.chat.completions.create(body, under(name)).then(() => assert.fail('no error'), (rejected) => rejected);
    assert.ok(error instanceof kind, String(error));
    assert.deepEqual([error.status, error.code, error.type], [status, code, 'invalid_request_error']);
  }
  assert.equal(sdk.requests.length, before + 3);
});
