// A provider says 200, and then no answer begins: an error comes instead, or nothing, or what nobody can read. As long as nothing of an answer
// has come the next target is tried, whatever the two speak; where there is none the client gets an error with a status, and nobody is billed.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { HELLO, eventually, inTime, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 90_000 };
const BUDGET = { limits: [{ name: 'budget', what: 'cost', window: 'lifetime', max: '1' }] };
/** What stands where a stream should begin: the words for the provider, and the status and code that a client is told if no target is left. */
const STREAMS = {
  'an error': ['err0'],
  'an error after its opening': ['opened-err0'],
  'the end': ['empty', 502, 'upstream_no_answer'],
  'the last word': ['blank', 502, 'upstream_no_answer'],
  'what cannot be read': ['garble', 502, 'upstream_error'],
  'a web page': ['page', 502, 'upstream_no_answer'],
  'the body of an error': ['errbody'],
  'silence': ['stall0', 504, 'upstream_timeout'],
  'silence after its opening': ['opened-stall0', 504, 'upstream_timeout'],
  'a reset': ['cut0', 502, 'upstream_cut'],
  'a reset after its opening': ['opened-cut0', 502, 'upstream_cut'],
};
const WHOLE = {
  'nothing': ['empty', 502, 'upstream_no_answer'],
  'an empty object': ['blank', 502, 'upstream_no_answer'],
  'a web page': ['page', 502, 'upstream_no_answer'],
  'the body of an error': ['errbody'],
};
/** What the scripted error of each dialect means. */
const ERRORS = { openai: 502, anthropic: 529, responses: 502, gemini: 503, converse: 502 };
/** What the body of its 503 means by itself. */
const BODIES = {
  openai: [503, 'server_is_overloaded'], anthropic: [529, 'server_is_overloaded'], responses: [503, 'server_is_overloaded'],
  gemini: [503, 'server_is_overloaded'], converse: [502, 'upstream_error'],
};
const SILENT = new Set(['stall0', 'opened-stall0', 'cut0', 'opened-cut0']);
const ASKS = {
  chat: ['/v1/chat/completions', { messages: HELLO }],
  messages: ['/v1/messages', { messages: HELLO, max_tokens: 99 }],
  responses: ['/v1/responses', { input: 'Hello!' }],
  gemini: ['/v1beta/models', { contents: [{ role: 'user', parts: [{ text: 'Hello!' }] }] }],
};
let world;

const modelOf = (dialect, words, rest) => `${dialect}-${words}-${rest}`;

before(async () => {
  world = await startWorld();
  const auth = { bearer: 'PROVIDER_A_KEY' };
  const { url } = world.provider;
  const shared = { auth, price_list: 'none', timeout: '10s', first_event_timeout: '1s' };
  const providers = {
    openai: { dialect: 'openai', base_url: `${url}/v1`, ...shared },
    anthropic: { dialect: 'anthropic', base_url: `${url}/v1`, headers: { 'anthropic-version': '2023-06-01' }, ...shared },
    responses: { dialect: 'responses', base_url: `${url}/v1`, ...shared },
    gemini: { dialect: 'gemini', base_url: `${url}/v1beta`, ...shared },
    converse: { dialect: 'converse', base_url: url, ...shared },
    patient: { dialect: 'openai', base_url: `${url}/v1`, ...shared, timeout: '11s', first_event_timeout: '11s' },
    lasting: { dialect: 'openai', base_url: `${url}/v1`, ...shared, timeout: '60s', first_event_timeout: '60s' },
  };
  const models = { hums: 'openai/hum6-d300', 'hums-for-ever': ['openai/hum40-d300', 'b/c10'], 'waits-long': ['patient/stall0', 'b/c10'], 'waits-in-vain': 'patient/stall0-alone', 'is-left': 'lasting/stall0-left' };
  for (const dialect of Object.keys(ERRORS)) {
    for (const [words] of [...Object.values(STREAMS), ...Object.values(WHOLE)]) {
      models[modelOf(dialect, words, 'backed')] = [`${dialect}/${words}`, 'b/c10'];
      models[modelOf(dialect, words, 'alone')] = `${dialect}/${words}`;
    }
  }
  const price = { input: '1', output: '2' };
  await world.catalog(models, { providers, prices: Object.fromEntries([...Object.keys(providers), 'a', 'b'].map((name) => [`${name}/*`, price])) });
});

after(() => world.stop());

/** Calls a model as clients of `kind` do. */
function ask(tenant, kind, model, stream) {
  const [path, body] = ASKS[kind];
  if (kind !== 'gemini') return tenant.post(path, { model, stream, ...body });
  return tenant.post(`${path}/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`, body);
}

/** One tenant for each kind of client, so that a target that rests for one does not for another. */
const tenants = async () => Object.fromEntries(await Promise.all(Object.keys(ASKS).map(async (kind) => [kind, await world.tenant(BUDGET)])));
const each = (tenantOf, run) => Promise.all(Object.entries(tenantOf).map(([kind, tenant]) => run(kind, tenant)));

async function fromBackup(kind, tenant, model, stream) {
  const response = await inTime(ask(tenant, kind, model, stream), `${model} answers a client of ${kind}`);
  const text = await response.text();
  assert.equal(response.status, 200, `${model}, ${kind}: ${text}`);
  assert.equal(response.headers.get('x-tollgate-target'), 'b/c10', `${model}, ${kind}`);
  assert.match(text, /quick/);
  assert.doesNotMatch(text, /error"?:(?! ?null)/, `${model}, ${kind}`);
  const row = await world.settled(response);
  assert.deepEqual([row.target, row.status, row.output, row.truth, row.attempts], ['b/c10', 200, 10, 'reported', 2], `${model}, ${kind}`);
  assert.equal(row.cost, row.input * 1_000 + 10 * 2_000, 'only the answer is billed');
}

async function toldOff(kind, tenant, model, stream, [status, code]) {
  const response = await inTime(ask(tenant, kind, model, stream), `${model} is told to a client of ${kind}`);
  const text = await response.text();
  assert.equal(response.status, status, `${model}, ${kind}: ${text}`);
  assert.match(response.headers.get('content-type'), /^application\/json/);
  const { error } = JSON.parse(text);
  assert.ok(error.message.length > 0);
  if (code && kind === 'chat') assert.equal(error.code, code, model);
  return world.settled(response);
}

for (const dialect of Object.keys(ERRORS)) {
  test(`where a stream of ${dialect} should begin nothing that is an answer comes: the next target answers, in every dialect`, TIMEOUT, async () => {
    const tenantOf = await tenants();
    for (const [words] of Object.values(STREAMS)) await each(tenantOf, (kind, tenant) => fromBackup(kind, tenant, modelOf(dialect, words, 'backed'), true));
  });

  test(`a stream of ${dialect} that does not begin, with no other target, is an error with a status, and what never began is free`, TIMEOUT, async () => {
    const tenantOf = await tenants();
    for (const [what, [words, status = ERRORS[dialect], code]] of Object.entries(STREAMS)) {
      // Of a stream of frames nothing is understood once one is broken.
      const broken = dialect === 'converse' && words === 'garble' ? [502, 'upstream_no_answer'] : [status, code];
      const told = words === 'errbody' ? BODIES[dialect] : broken;
      await each(tenantOf, async (kind, tenant) => {
        const row = await toldOff(kind, tenant, modelOf(dialect, words, 'alone'), true, told);
        if (!SILENT.has(words)) assert.deepEqual([row.cost, row.output], [0, 0], `${dialect}, ${what}`);
      });
    }
  });

  test(`a whole answer of ${dialect} that is none: the next target answers, or the client is told`, TIMEOUT, async () => {
    const tenantOf = await tenants();
    for (const [words, ...said] of Object.values(WHOLE)) {
      const told = words === 'errbody' ? BODIES[dialect] : said;
      await each(tenantOf, async (kind, tenant) => {
        await fromBackup(kind, tenant, modelOf(dialect, words, 'backed'), false);
        const row = await toldOff(kind, tenant, modelOf(dialect, words, 'alone'), false, told);
        assert.equal(row.cost, 0, 'it is free');
      });
    }
  });
}

test('comments let a stream take its time to begin, up to a bound', TIMEOUT, async () => {
  const tenant = await world.tenant(BUDGET);
  const slow = await tenant.chat({ model: 'hums', stream: true });
  assert.equal(slow.status, 200);
  const text = await slow.text();
  assert.equal(text.match(/^: still there$/gm).length, 6, 'each goes on to the client');
  assert.match(text, /\[DONE\]/);
  await fromBackup('chat', tenant, 'hums-for-ever', true);
});

test('a client that waits for long is given comments, and then the answer of whichever target gives one', TIMEOUT, async () => {
  await Promise.all(['chat', 'messages', 'responses'].map(async (kind) => {
    const tenant = await world.tenant(BUDGET);
    const response = await inTime(ask(tenant, kind, 'waits-long', true), 'there is a head before there is an answer');
    const text = await response.text();
    assert.ok(text.startsWith(': waiting\n\n'), text);
    assert.match(text, /quick/);
    const row = await world.settled(response);
    assert.deepEqual([row.target, row.output, row.truth, row.attempts], ['b/c10', 10, 'reported', 2], kind);
  }));
});

test('where no target gives an answer after all, the client that waits is told in an event, and one that knows no comments by a status', TIMEOUT, async () => {
  await Promise.all(Object.keys(ASKS).map(async (kind) => {
    const tenant = await world.tenant(BUDGET);
    const response = await inTime(ask(tenant, kind, 'waits-in-vain', true), `${kind} is told`);
    const text = await response.text();
    assert.equal(response.status, kind === 'gemini' ? 504 : 200);
    assert.match(text, kind === 'gemini' ? /DEADLINE_EXCEEDED/ : /^: waiting\n\n(: waiting\n\n)*(event: [a-z.]+\n)?data: \{.*did not answer in time/);
  }));
});

test('a client that leaves while it waits stops the provider, and its call is settled', TIMEOUT, async () => {
  const tenant = await world.tenant(BUDGET);
  const leaving = new AbortController();
  const response = await tenant.chat({ model: 'is-left', stream: true }, { signal: leaving.signal });
  await response.body.getReader().read();
  leaving.abort();
  const id = response.headers.get('x-request-id');
  await eventually(() => world.seen(id).some((call) => call.aborted), 'the provider is stopped');
  const row = await world.settled(id);
  assert.ok(row.cost > 0, 'it was sent');
  assert.equal((await tenant.limit('budget')).held, '0');
});
