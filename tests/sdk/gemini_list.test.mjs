// A client of Gemini's that does not ask for events gets the stream as one JSON list, as Google gives it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { INPUT, OUTPUT, PROVIDERS, SAID, startDialects } from './dialects.mjs';

const CONTENTS = [{ role: 'user', parts: [{ text: 'hi' }] }];

let world;
let tenant;
before(async () => {
  ({ world, tenant } = await startDialects());
});
after(() => world.stop());

/** The answer to a call of `model`; `query` follows the method. */
function stream(model, query = '', headers = {}) {
  return fetch(`${world.url}/v1beta/models/${model}:streamGenerateContent${query}`, {
    method: 'POST', headers: { 'x-goog-api-key': tenant.key, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ contents: CONTENTS }),
  });
}

const text = (answers) => answers.map(({ candidates }) => candidates?.[0]?.content?.parts?.map((part) => part.text ?? '').join('') ?? '').join('');

for (const provider of Object.keys(PROVIDERS)) {
  test(`a list of what ${provider} streams`, async () => {
    for (const query of ['', '?alt=json', '?$alt=json;enum-encoding=int']) {
      const response = await stream(`${provider}-plain`, query);
      assert.match(response.headers.get('content-type'), /^application\/json/);
      const answers = await response.json();
      assert.ok(answers.length > 1, `${answers.length} elements`);
      assert.equal(text(answers), SAID);
      assert.equal(answers.at(-1).candidates[0].finishReason, 'STOP');
      const row = (await tenant.settled()).at(-1);
      assert.deepEqual([row.status, row.truth, row.input, row.output], [200, 'reported', INPUT, OUTPUT]);
    }
  });
  test(`events of what ${provider} streams, where they are asked for`, async () => {
    const response = await stream(`${provider}-plain`, '?alt=sse');
    assert.match(response.headers.get('content-type'), /^text\/event-stream/);
    const events = (await response.text()).split(/\r?\n\r?\n/).filter((event) => event.startsWith('data: '));
    assert.equal(text(events.map((event) => JSON.parse(event.slice(6)))), SAID);
  });
}

test('a list is given again to who sends its call again, and events are another call', async () => {
  const name = { 'idempotency-key': 'list-1' };
  const first = await (await stream('gemini-plain', '', name)).text();
  const again = await stream('gemini-plain', '', name);
  assert.equal(again.headers.get('idempotent-replayed'), 'true');
  assert.equal(await again.text(), first);
  assert.equal(text(JSON.parse(first)), SAID);
  assert.equal((await stream('gemini-plain', '?alt=sse', name)).status, 422);
});
