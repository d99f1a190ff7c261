// A stream is a stream: what the provider has said reaches the client before it says more.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bodyOf, chat, inTime, startWorld } from './support.mjs';

const CHUNKS = 5;

let world;
before(async () => { world = await startWorld({ gated: { slow: `c${CHUNKS}` } }); });
after(() => world.stop());

test('each chunk reaches the client while the provider has not sent the next', async () => {
  const tenant = await world.tenant('stream');
  world.gate.hold();
  const asked = chat(world, tenant.key, { model: 'slow', stream: true });
  await world.reached(1);
  world.gate.pass(2); // the role, and the word with which the answer begins
  const response = await inTime('the head comes', asked);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const seen = () => text.match(/"delta":/g)?.length ?? 0;
  for (let passed = 2; passed <= CHUNKS + 1; passed += 1) {
    if (passed > 2) world.gate.pass(1);
    while (seen() < passed) text += (await inTime(`event ${passed} comes`, reader.read())).value;
    assert.equal(seen(), passed);
  }
  world.gate.release();
  for (let step; !(step = await inTime('the stream ends', reader.read())).done;) text += step.value;
  assert.match(text, /data: \[DONE\]\n\n$/);
});

test('a client that leaves a stream is billed what was said so far, and holds nothing once the provider says more', async () => {
  const tenant = await world.tenant('left', { limits: [{ name: 'busy', what: 'concurrency', per: 'tenant', max: 1 }] });
  world.provider.reset();
  world.gate.hold();
  const client = new AbortController();
  const headers = { authorization: `Bearer ${tenant.key}` };
  const init = { method: 'POST', headers, body: bodyOf({ model: 'slow', stream: true }), signal: client.signal };
  const asked = fetch(`${world.url}/v1/chat/completions`, init);
  await world.reached(1);
  world.gate.pass(3); // the role and two tokens
  const reader = (await inTime('the head comes', asked)).body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!text.includes('quick ')) text += (await inTime('two tokens come', reader.read())).value;
  client.abort();
  world.gate.release();
  const [call] = await tenant.settled(1);
  assert.equal(call.state, 'settled');
  assert.ok(call.output >= 2 && call.output <= CHUNKS, `${call.output} tokens are billed`);
  assert.equal((await tenant.usage()).limits.busy.held, 0);
});
