// What a provider keeps belongs to the tenant that made it, whoever else shares the account there; what works on behind its answer, or has
// another model answer, does not go out; and a look at something is never a bill. Over ordinary roads and native ones.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { HELLO, eventually, events, refusal, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 60_000 };
const ALL = { passthrough: ['*'] };
let world;
let slow;

/** A provider of responses that work on behind their answers, until they have been looked at twice. */
async function startSlow() {
  const looks = new Map();
  const server = createServer((req, res) => {
    const id = /^\/v1\/responses\/([^/]+)/.exec(req.url)?.[1] ?? `resp_${looks.size + 1}`;
    const seen = looks.get(id) ?? 0;
    looks.set(id, seen + (req.method === 'GET' ? 1 : 0));
    const ended = seen >= 2;
    const usage = ended ? { input_tokens: 1_000, output_tokens: 50, total_tokens: 1_050 } : null;
    req.resume().on('end', () => {
      res.writeHead(200, { 'content-type': 'application/json' });
      res.end(JSON.stringify({ id, object: 'response', status: ended ? 'completed' : 'queued', background: true, model: 'up', output: [], usage }));
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}/v1`, stop: () => new Promise((done) => server.close(done).closeAllConnections()) };
}

before(async () => {
  [world, slow] = await Promise.all([startWorld(), startSlow()]);
  const base_url = `${world.provider.url}/v1`;
  const target = (provider) => ({ targets: [{ provider, model: 'c10-i20' }], max_output: 100 });
  await world.catalog({ m: target('r'), own: target('own'), claude: target('claude'), slow: target('slow') }, {
    providers: {
      r: { dialect: ['openai', 'responses'], base_url }, own: { dialect: ['openai', 'responses'], base_url, shared: false }, claude: { dialect: 'anthropic', base_url },
      slow: { dialect: 'responses', base_url: slow.url },
    },
    prices: { 'slow/*': { input: '1000', output: '10000' }, 'r/*': { input: '1', output: '2' }, 'own/*': { input: '1', output: '2' }, 'claude/*': { input: '1', output: '2' } },
    default_provider: 'r',
  });
});

after(async () => {
  await world.stop();
  await slow.stop();
});

const respond = (tenant, more = {}) => tenant.post('/v1/responses', { model: 'm', input: 'Hello!', ...more });
const get = (tenant, path, init = {}) => fetch(`${world.url}${path}`, { ...init, headers: { authorization: `Bearer ${tenant.key}`, ...init.headers } });

async function ok(response) {
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return text;
}

test('what an answer keeps is the tenant\'s own from the next call on, whole or streamed, and no other\'s', TIMEOUT, async () => {
  const [mine, other] = [await world.tenant(), await world.tenant()];
  for (const stream of [false, true]) {
    const text = await ok(await respond(mine, { stream }));
    const answer = stream ? events(text).at(-1).data.response : JSON.parse(text);
    const item = answer.output.at(-1).id;
    for (const what of [{ previous_response_id: answer.id }, { input: [{ type: 'item_reference', id: item }, ...HELLO] }]) {
      const passed = await respond(mine, what);
      await ok(passed);
      const [{ body }] = world.seen(passed);
      assert.deepEqual({ ...body, ...what }, body, 'it arrives as it was sent');
      const refused = await respond(other, what);
      await refusal(refused, 404, { message: /not known|no such thing is known/ });
      assert.deepEqual(world.seen(refused), []);
      await ok(await respond(other, { ...what, model: 'own' }));
    }
    await refusal(await respond(mine, { previous_response_id: `${answer.id}x` }), 404, { code: 'previous_response_not_found', param: 'previous_response_id' });
  }
});

test('only a call that keeps something writes a row for it', TIMEOUT, async () => {
  const rows = async (body) => {
    const tenant = await world.tenant();
    const before = (await tenant.metrics()).rows_written;
    const answer = await respond(tenant, body);
    await ok(answer);
    await world.settled(answer);
    return (await tenant.metrics()).rows_written - before;
  };
  const [plain, kept, own] = [await rows({ store: false }), await rows({}), await rows({ model: 'own' })];
  assert.equal(own, plain, 'nobody asks whose it is at an account of one\'s own');
  assert.equal(kept, plain + 2, 'a response and its one item');
});

test('what works on behind its answer, or has another model answer, does not go out', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: [{ name: 'budget', what: 'cost', window: 'month', max: '3' }] });
  for (const [field, value] of [['deferred', true], ['models', ['dear']], ['fallbacks', [{ model: 'dear' }]]]) {
    for (const path of ['/v1/responses', '/v1/chat/completions', '/v1/messages']) {
      const model = path === '/v1/messages' ? 'claude' : 'm';
      const refused = await tenant.post(path, { model, input: 'x', max_tokens: 9, messages: HELLO, [field]: value });
      assert.equal(refused.status, 400, await refused.clone().text());
      assert.match(await refused.text(), new RegExp(`\`${field}\` cannot be passed on: it `));
      assert.deepEqual(world.seen(refused), []);
    }
  }
  assert.equal((await tenant.limit('budget')).used, '0');
});

test('a response in the background holds its ceiling until a look tells of its end, and is billed once', TIMEOUT, async () => {
  const tenant = await world.tenant({ passthrough: ['slow/responses/*'], limits: [{ name: 'budget', what: 'cost', window: 'month', max: '3.9' }] });
  const begin = () => tenant.post('/v1/responses', { model: 'slow', input: 'x', background: true, max_output_tokens: 100 });
  const ids = [];
  for (let at = 0; at < 3; at += 1) ids.push(JSON.parse(await ok(await begin())).id);
  await refusal(await begin(), 429, { code: 'budget_reserved' });
  const look = async (id) => JSON.parse(await ok(await get(tenant, `/v1/responses/${id}`, { headers: { 'x-tollgate-provider': 'slow' } })));
  for (let at = 0; at < 2; at += 1) assert.equal((await look(ids[0])).status, 'queued');
  const money = async () => { const { used, held } = await tenant.limit('budget'); return [Number(used), Number(held)]; };
  const [used, held] = await money();
  assert.equal(used, 0);
  assert.ok(held > 3 && held <= 3.9, `${held}`);
  for (let at = 0; at < 4; at += 1) assert.equal((await look(ids[0])).status, 'completed');
  // 1,000 tokens at 1,000 USD for a million, and 50 at 10,000.
  await eventually(async () => { const [bill, rest] = await money(); return bill === 1.5 && rest < 2.5 && rest > 2; }, 'one is billed once, and two still hold');
  const stranger = await world.tenant({ passthrough: ['*'] });
  await refusal(await get(stranger, `/v1/responses/${ids[1]}`, { headers: { 'x-tollgate-provider': 'slow' } }), 404);
});

async function upload(tenant, path = '/v1/files') {
  const form = new FormData();
  form.append('purpose', 'batch');
  form.append('file', new Blob([`${JSON.stringify({ custom_id: '1', method: 'POST', url: '/v1/chat/completions', body: { model: 'c10-i20', messages: HELLO } })}\n`]), 'a.jsonl');
  const answer = await get(tenant, path, { method: 'POST', body: form });
  return JSON.parse(await ok(answer)).id;
}

test('a file that was uploaded is its tenant\'s own, by its path and in every body; nobody lists what all have', TIMEOUT, async () => {
  const [mine, other] = [await world.tenant(ALL), await world.tenant(ALL)];
  const id = await upload(mine);
  const part = [{ role: 'user', content: [{ type: 'input_file', file_id: id }] }];
  for (const ask of [
    (tenant) => get(tenant, `/v1/files/${id}`),
    (tenant) => get(tenant, `/providers/r/v1/files/${id.replace('-', '%2D')}/content`),
    (tenant) => respond(tenant, { input: part }),
    (tenant) => tenant.post('/providers/r/responses', { model: 'c10-i20', input: part, store: false }),
    (tenant) => tenant.post('/providers/r/responses', JSON.stringify({ model: 'c10-i20', input: part }), { headers: { 'content-type': 'application/octet-stream' } }),
  ]) {
    await ok(await ask(mine));
    const refused = await ask(other);
    await refusal(refused, 404, { message: new RegExp(id) });
    assert.deepEqual(world.seen(refused), []);
  }
  for (const path of ['/v1/files', '/v1/batches?limit=2', '/providers/r/v1/responses', '/providers/r/organization/costs']) {
    await refusal(await get(mine, path), 403, { code: 'passthrough_not_allowed', message: /"shared": false/ });
  }
  await refusal(await get(other, `/v1/files/${id}`, { method: 'DELETE' }), 404);
  assert.equal((await get(mine, '/providers/own/files')).status, 200, 'an account of one\'s own');
  await ok(await get(mine, `/v1/files/${id}`, { method: 'DELETE' }));
});

test('a native body is read as its provider would read it, and goes on as it came', TIMEOUT, async () => {
  const tenant = await world.tenant(ALL);
  const native = (body, type = 'application/json') => tenant.post('/providers/r/chat/completions', body, { headers: { 'content-type': type } });
  const plain = '{"model":"c10-i20","messages":[],"n":1}';
  for (const [body, type] of [[plain], [` \n${plain} `], [plain, 'text/plain'], [`${plain}\n${plain}`, 'application/octet-stream']]) {
    const passed = await native(body, type);
    await passed.arrayBuffer();
    assert.equal(world.seen(passed)[0]?.raw.toString(), body, `${type} ${passed.status}`);
  }
  for (const body of ['{"background":true}', '{"back\\u0067round":true,"background":false}', '{"MODELS":["dear"]}', '{"extra_body":{"fallbacks":["dear"]}}', '[{"deferred":true}]']) {
    for (const type of ['application/json', 'text/plain', 'application/octet-stream']) {
      const refused = await native(body, type);
      await refusal(refused, 400, { code: 'unsupported_parameter' });
      assert.deepEqual(world.seen(refused), []);
    }
  }
  for (const body of [Buffer.from('\ufeff{"background":true}'), Buffer.from('{"background":true}', 'utf16le'), Buffer.from('\ufeff{"background":true}', 'utf16le')]) {
    await refusal(await native(body), 400, { message: /UTF-8/ });
  }
  const long = await native(`{"x":"${'x'.repeat(2 * 1_024 * 1_024)}","background":true}`, 'application/octet-stream');
  await refusal(long, 413, { code: 'request_too_large' });
  const lines = `${plain}\n`.repeat(60_000);
  const passed = await native(lines, 'application/octet-stream');
  await passed.arrayBuffer();
  assert.equal(world.seen(passed)[0].raw.length, lines.length, 'lines are passed on at any size');
});

test('a batch is refused unless the operator has put a price on it, and whoever looks at it how often pays for no model', TIMEOUT, async () => {
  const tenant = await world.tenant({ ...ALL, limits: [{ name: 'budget', what: 'cost', window: 'month', max: '1' }] });
  const id = await upload(tenant);
  const batch = () => tenant.post('/v1/batches', { input_file_id: id, endpoint: '/v1/chat/completions', completion_window: '24h' });
  await refusal(await batch(), 400, { code: 'unsupported_parameter', param: 'r/batches', message: /behind its answer/ });
  assert.equal((await tenant.post('/providers/claude/messages/batches', { requests: [] })).status, 400);
  const { body: catalog } = await world.admin('GET', '/catalog');
  const { version: _, ...document } = catalog;
  assert.ok((await world.admin('PUT', '/catalog', { ...document, prices: { ...document.prices, 'r/batches': { input: '0', request: '0.25' } } })).status < 300);
  const made = JSON.parse(await ok(await batch()));
  const used = async () => Number((await tenant.limit('budget')).used);
  const before = await eventually(async () => ((await tenant.limit('budget')).held === '0') && used(), 'all is settled');
  const look = () => get(tenant, `/v1/batches/${made.id}`).then(ok).then(JSON.parse);
  const done = await eventually(async () => { const now = await look(); return now.status === 'completed' && now; }, 'the batch is done');
  assert.ok(done.request_counts.completed > 0);
  for (let at = 0; at < 5; at += 1) await look();
  await eventually(async () => (await tenant.limit('budget')).held === '0', 'all is settled');
  assert.equal(await used(), before);
});
