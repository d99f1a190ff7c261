// Every official SDK against every dialect of providers: who writes an application in one of them need not know who answers.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { aiAnthropic, aiOpenai, aiResponses } from './clients/ai.mjs';
import { messages } from './clients/anthropic.mjs';
import { gemini } from './clients/gemini.mjs';
import { chat, responses } from './clients/openai.mjs';
import { INPUT, OUTPUT, PROVIDERS, SAID, startDialects } from './dialects.mjs';

const CLIENTS = [chat, responses, messages, gemini, aiOpenai, aiResponses, aiAnthropic];

let world;
let tenant;
before(async () => {
  ({ world, tenant } = await startDialects());
});
after(() => world.stop());

/** The row of the call that was made last. */
const lastRow = async () => (await tenant.settled()).at(-1);

for (const client of CLIENTS) {
  for (const provider of Object.keys(PROVIDERS)) {
    const check = (what, act) => test(`${client.name} to ${provider}: ${what}`, () => act(client.connect({ url: world.url, key: tenant.key })));
    const bill = async (told, input, output) => {
      const row = await lastRow();
      assert.deepEqual([row.status, row.truth, row.input, row.output], [200, 'reported', input, output], JSON.stringify(row));
      assert.deepEqual([told.input, told.output], [input, output]);
    };

    check('a whole answer', async (connected) => {
      const told = await client.whole(connected, `${provider}-plain`);
      assert.deepEqual([told.text, told.finish], [SAID, client.finishes.stop]);
      await bill(told, INPUT, OUTPUT);
    });
    check('a stream', async (connected) => {
      const told = await client.streamed(connected, `${provider}-plain`);
      assert.deepEqual([told.text, told.finish], [SAID, client.finishes.stop]);
      await bill(told, INPUT, OUTPUT);
    });
    check('thoughts are billed and do not get into the answer', async (connected) => {
      for (const way of ['whole', 'streamed']) {
        const told = await client[way](connected, `${provider}-thinking`);
        assert.equal(told.text, SAID);
        await bill(told, INPUT, OUTPUT + 7);
      }
    });
    for (const stream of [false, true]) {
      check(`a round trip of a tool, ${stream ? 'streamed' : 'whole'}`, async (connected) => {
        const { calls, finish, text } = await client.tools(connected, `${provider}-tool`, stream);
        assert.deepEqual(calls.map(({ name, arguments: given }) => [name, given]), [['get_weather', { city: 'Paris' }]]);
        if (finish !== undefined) assert.equal(finish, client.finishes.tools);
        assert.ok(text.startsWith('the quick'), text);
      });
    }
    check('two tools at once', async (connected) => {
      const { calls } = await client.tools(connected, `${provider}-tools`, true);
      assert.equal(calls.length, 2);
    });
    check('an answer of a schema', async (connected) => {
      assert.deepEqual(await client.schema(connected, `${provider}-json`), { city: 'Paris' });
    });
    check('an error keeps its status and its words', async (connected) => {
      const error = await client.whole(connected, `${provider}-failing`).then(() => null, (thrown) => thrown);
      const { status, message } = client.fault(error);
      assert.equal(status, 400);
      assert.match(message, /refused by the script|contains an invalid argument/);
    });
    check('a client that leaves stops the provider', async (connected) => {
      const before = world.provider.stats().aborted;
      const controller = new AbortController();
      const stream = await client.abort(connected, `${provider}-slow`, controller.signal);
      for await (const _ of stream) break;
      controller.abort();
      await world.provider.until((_, { aborted }) => aborted > before);
      await tenant.settled();
    });
  }
}

for (const client of CLIENTS.filter(({ models }) => models)) {
  test(`${client.name}: the models are listed`, async () => {
    const ids = await client.models(client.connect({ url: world.url, key: tenant.key }));
    assert.ok(ids.includes('gemini-plain') && ids.includes('anthropic-tool'), ids.join(' '));
  });
}
