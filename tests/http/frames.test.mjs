// Native streams with an event that never ends: what is held of it is counted, let go of where there is no room, and given back.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { eventually, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 60_000 };
const MEBI = 1_048_576;
const EVENT_BYTES = 3 * MEBI;
const STREAMS = 40;
let world;
let provider;
let release;

before(async () => {
  world = await startWorld();
  const released = new Promise((done) => (release = done));
  provider = createServer(async (request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`data: {"text":"${'a'.repeat(EVENT_BYTES)}`);
    await released;
    response.end('"}\n\ndata: {"usage":{"input_tokens":7,"output_tokens":500000}}\n\ndata: [DONE]\n\n');
  });
  await new Promise((listens) => provider.listen(0, '127.0.0.1', listens));
  await world.admin('PUT', '/catalog', {
    providers: { frames: { dialect: 'openai', base_url: `http://127.0.0.1:${provider.address().port}/v1` } }, models: {}, prices: { 'frames/*': { input: '1', output: '2' } },
  });
});
after(async () => {
  provider.closeAllConnections();
  provider.close();
  await world.stop();
});

test('40 streams of one unfinished event each are counted, pass all the same, and hold nothing at the end', TIMEOUT, async () => {
  const tenant = await world.tenant({ passthrough: ['*'] });
  let came = 0;
  const streams = Array.from({ length: STREAMS }, async () => {
    const response = await tenant.post('/providers/frames/chat/completions', { model: 'm', stream: true });
    let size = 0;
    for await (const chunk of response.body) {
      if (size < EVENT_BYTES && size + chunk.byteLength >= EVENT_BYTES) came += 1;
      size += chunk.byteLength;
    }
    return [response.status, size];
  });
  await eventually(() => came === STREAMS, 'all have come so far');
  const held = (await tenant.metrics()).isolate_bytes;
  assert.ok(held > 16 * MEBI && held <= 64 * MEBI, `${held} bytes are counted`);
  release();
  const [[status, size]] = await Promise.all(streams);
  assert.equal(status, 200);
  assert.deepEqual(await Promise.all(streams), Array.from({ length: STREAMS }, () => [200, size]));
  await eventually(async () => (await tenant.metrics()).isolate_bytes === 0, 'nothing is held');
  const rows = await eventually(async () => {
    const ended = (await world.ledger()).filter((row) => row.state === 'settled');
    return ended.length === STREAMS && ended;
  }, 'all are settled');
  assert.ok(rows.every((row) => row.truth === 'reported' && row.output === 500_000 && row.input === 7), 'by the usage that was told');
});
