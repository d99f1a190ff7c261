// More than one target: what fails is passed over, rests and is tried again; and what a client is told when nothing is left to try.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { HELLO, eventually, refusal, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 40_000 };
const BUDGET = { limits: [{ name: 'budget', what: 'cost', window: 'lifetime', max: '1' }, { name: 'at-once', what: 'concurrency', max: 4 }] };
// Who refuses has surely done nothing; who was sent the request and fell silent may have worked.
const REFUSES = {
  'refuses connections': 'dead/c10', 'answers 429': 'a/fail429', 'answers 500': 'a/fail500', 'answers 503': 'a/fail503',
  'answers 401': 'a/fail401', 'answers 403': 'a/fail403',
};
/** A target that asks to be left alone for 41 seconds, in every form. */
const WAITS = {
  'in-seconds': 'a/fail429-ra41', 'as-a-date': 'a/fail429-ra41-dated', 'in-milliseconds': 'a/fail429-ra41-millis', 'as-a-reset': 'a/fail429-ra41-resets',
  'in-words': 'a/fail429-ra41-inbody', 'overloaded-in-words': 'a/fail503-ra41-inbody', 'as-retry-info': 'google/fail429-ra41-inbody',
};
const FALLS_SILENT = {
  'never answers': 'short/hang', 'resets the connection': 'a/reset', 'answers 504': 'a/fail504', 'answers 408': 'a/fail408',
};
const WHOLE_FALLS_SILENT = { 'cuts its JSON': 'a/badjson', 'breaks off its JSON': 'a/cut0' };
const CAP = 100;
const name = (what) => what.replaceAll(' ', '-');
let world;

before(async () => {
  world = await startWorld();
  const providers = { dead: { dialect: 'openai', base_url: 'http://127.0.0.1:1/v1' }, short: { dialect: 'openai', base_url: `${world.provider.url}/v1`, timeout: '1s' },
    google: { dialect: 'gemini', base_url: `${world.provider.url}/v1beta`, auth: { bearer: 'PROVIDER_A_KEY' } } };
  const backed = Object.entries({ ...REFUSES, ...FALLS_SILENT, ...WHOLE_FALLS_SILENT }).map(([what, words]) => [name(what), [words, 'b/c10-backup']]);
  const alone = Object.entries({
    'fail429': 'a/fail429', 'asks-for-an-hour': 'a/fail429-ra3600', 'asks-for-7s': 'a/fail429-ra7', 'fail500': 'a/fail500', 'fail503': 'a/fail503-ra30',
    dead: 'dead/c10', silent: 'short/hang', badjson: 'a/badjson', fail504: 'a/fail504', reset: 'a/reset', fail401: 'a/fail401', fail403: 'a/fail403',
  }).map(([what, words]) => [`only-${what}`, [words, `b/${words.split('/')[1]}`].slice(0, words.startsWith('a/') ? 2 : 1)]);
  await world.catalog({
    ...Object.fromEntries([...backed, ...alone]), ...WAITS, 'empty-account': ['a/fail429-ra1-quota', 'b/c10'], 'only-empty-account': 'a/fail429-ra1-quota', 'waits': ['a/c10-waits', 'b/c10-backup'], steady: 'c10', tripping: ['a/c10-tripping', 'b/c10-backup'], busy: ['a/c10-busy', 'b/c10-backup'],
    ...Object.fromEntries([400, 404, 409, 422].map((status) => [`says-${status}`, [`a/fail${status}`, 'b/c10-backup']])),
  }, { providers, prices: { 'a/*': { input: '1', output: '2' }, 'b/*': { input: '1', output: '2' }, 'dead/*': { input: '1' }, 'short/*': { input: '1' }, 'google/*': { input: '1' } } });
});

after(() => world.stop());

async function answersFromBackup(tenant, model, stream, silent) {
  const response = await tenant.chat({ model, stream, max_tokens: CAP });
  const text = await response.text();
  assert.equal(response.status, 200, `${model}: ${text}`);
  assert.equal(response.headers.get('x-tollgate-target'), 'b/c10-backup', model);
  const row = await world.settled(response);
  // Of such calls too little is known: one that fell silent may have used its cap.
  const [output, truth] = silent ? [CAP, 'estimated'] : [10, 'reported'];
  assert.deepEqual([row.target, row.status, row.output, row.truth], ['b/c10-backup', 200, output, truth], model);
  const [answer] = world.seen(response).slice(-1);
  const answered = answer.prompt_tokens * 1_000 + 10 * 2_000;
  if (silent) assert.ok(row.cost > answered && row.cost <= row.held_cost, `${model}: ${answered} < ${row.cost} <= ${row.held_cost}`);
  else assert.equal(row.cost, answered, 'only the answer is billed');
  return row;
}

for (const stream of [false, true]) {
  test(`the second target answers where the first fails ${stream ? 'before a stream begins' : 'a whole answer'}; both attempts are in the ledger, and what fell silent is on the bill`, TIMEOUT, async () => {
    const tenant = await world.tenant(BUDGET);
    const silent = stream ? FALLS_SILENT : { ...FALLS_SILENT, ...WHOLE_FALLS_SILENT };
    for (const what of Object.keys({ ...REFUSES, ...silent })) {
      const row = await answersFromBackup(tenant, name(what), stream, what in silent);
      assert.equal(row.attempts, 2, what);
    }
    assert.equal((await tenant.limit('budget')).held, '0');
  });
}

/** Makes a call and waits for its end; the targets that it went to. */
async function route(tenant, model) {
  const response = await tenant.chat({ model });
  assert.equal(response.status, 200, await response.text());
  await world.settled(response);
  return world.seen(response).map((call) => call.model);
}

test('a target that fails three times rests: calls skip it, one probe tries it again, and then it has its calls back', TIMEOUT, async () => {
  const tenant = await world.tenant(BUDGET);
  const [first, backup] = ['c10-tripping', 'c10-backup'];
  world.provider.script(first, ['fail500', 'fail500', 'fail500']);
  for (let call = 0; call < 3; call += 1) assert.deepEqual(await route(tenant, 'tripping'), [first, backup]);
  await eventually(async () => {
    world.provider.script(first, ['fail500']); // should its rest be over already, it fails again
    return (await route(tenant, 'tripping')).join() === backup;
  }, 'calls skip it');
  await eventually(async () => (await route(tenant, 'tripping')).join() === first, 'a probe finds it well');
  for (let call = 0; call < 3; call += 1) assert.deepEqual(await route(tenant, 'tripping'), [first], 'it is well again');
});

test('a target that asks to be left alone rests at once; a probe that fails sends it back to rest', TIMEOUT, async () => {
  const tenant = await world.tenant(BUDGET);
  const [first, backup] = ['c10-busy', 'c10-backup'];
  world.provider.script(first, ['fail429-ra2', 'fail500']);
  assert.deepEqual(await route(tenant, 'busy'), [first, backup]);
  assert.deepEqual(await route(tenant, 'busy'), [backup]);
  const probed = async () => (await route(tenant, 'busy')).length === 2;
  await eventually(probed, 'its rest is over and a probe fails');
  assert.deepEqual(await route(tenant, 'busy'), [backup], 'it rests again, for longer');
});

test('one tenant\'s bad luck is its own: another still calls the target that rests for the first', TIMEOUT, async () => {
  const [tenant, other] = [await world.tenant(BUDGET), await world.tenant(BUDGET)];
  world.provider.script('c10-busy', ['fail429']);
  await route(tenant, 'busy');
  assert.deepEqual(await route(other, 'busy'), ['c10-busy']);
});

test('where every target is down the client is told so in the gateway\'s words, and only silence is billed', TIMEOUT, async () => {
  for (const [model, status, type, code, wait] of [
    ['only-fail429', 429, 'rate_limit_error', 'upstream_rate_limited', null],
    ['only-asks-for-an-hour', 429, 'rate_limit_error', 'upstream_rate_limited', '60'],
    ['only-asks-for-7s', 429, 'rate_limit_error', 'upstream_rate_limited', '7'],
    ['only-fail500', 500, 'server_error', 'upstream_error', null],
    ['only-fail503', 503, 'service_unavailable_error', 'server_is_overloaded', '30'],
    ['only-dead', 502, 'server_error', 'upstream_unreachable', null],
    ['only-silent', 504, 'server_error', 'upstream_timeout', null],
    ['only-badjson', 502, 'server_error', 'upstream_cut', null],
    ['only-fail504', 504, 'server_error', 'upstream_error', null],
    ['only-reset', 502, 'server_error', 'upstream_unreachable', null],
    ['only-fail401', 502, 'server_error', 'upstream_credentials', null],
    ['only-fail403', 502, 'server_error', 'upstream_credentials', null],
  ]) {
    const tenant = await world.tenant(BUDGET);
    const response = await tenant.chat({ model, max_tokens: CAP });
    const error = await refusal(response, status, { type, code, param: null });
    assert.doesNotMatch(error.message, /Incorrect API key|insufficient permissions|Sorry about that|engine is currently/, 'the provider\'s words');
    assert.equal(response.headers.get('retry-after'), wait, model);
    assert.equal(response.headers.get('x-tollgate-target'), null);
    const row = await world.settled(response);
    assert.equal(row.attempts, model.match(/dead|silent/) ? 1 : 2, model);
    if (/silent|badjson|fail504|reset/.test(model)) {
      // Both targets are silent, and together they are billed what was held at most.
      const all = row.attempts === 2 ? CAP : row.output;
      assert.deepEqual([row.status, row.truth, row.output, row.target === ''], [status, 'estimated', all, false], model);
      assert.ok(row.input > 0 && row.cost > 0 && row.cost <= row.held_cost, `${model}: ${row.cost} <= ${row.held_cost}`);
    } else {
      assert.deepEqual([row.status, row.truth, row.input, row.output, row.cost, row.target], [status, 'reported', 0, 0, 0, ''], model);
    }
    const [budget, slots] = [await tenant.limit('budget'), await tenant.limit('at-once')];
    assert.deepEqual([Math.round(budget.used * 1e9), budget.held, slots.held], [row.cost, '0', 0], model);
    const { total } = (await tenant.usage()).periods.day;
    assert.deepEqual([total.calls, total.failed], [1, 1]);
  }
});

test('however a provider says how long to wait, the client is told so, in its own dialect', TIMEOUT, async () => {
  const tenant = await world.tenant(BUDGET);
  for (const model of Object.keys(WAITS)) {
    for (const [path, more] of [['/v1/chat/completions', {}], ['/v1/messages', { max_tokens: 9 }], ['/v1/messages', { max_tokens: 9, stream: true }]]) {
      const response = await tenant.post(path, { model, messages: HELLO, ...more });
      assert.equal(response.status, model.startsWith('overloaded') ? 503 : 429, await response.text());
      const [seconds, millis] = ['retry-after', 'retry-after-ms'].map((header) => Number(response.headers.get(header)));
      assert.ok(seconds > 38 && seconds <= 41 && Math.ceil(millis / 1_000) === seconds, `${model}: ${seconds} s, ${millis} ms`);
    }
  }
});

test('a target rests for as long as it asked, in whatever form', TIMEOUT, async () => {
  for (const [model, target] of Object.entries(WAITS)) {
    const asked = Date.now();
    const resting = async () => (await world.rows('SELECT * FROM health')).filter((row) => row.target === target && row.rests_until > asked + 38_000);
    const before = (await resting()).length;
    await (await world.tenant(BUDGET)).chat({ model });
    await eventually(async () => (await resting()).length > before, `${target} rests`);
  }
});

test('a provider\'s account without credit is no reason to try again in a second', TIMEOUT, async () => {
  const tenant = await world.tenant(BUDGET);
  assert.deepEqual(await route(tenant, 'empty-account'), ['fail429-ra1-quota', 'c10']);
  assert.deepEqual(await route(tenant, 'empty-account'), ['c10'], 'it rests at once');
  const response = await tenant.chat({ model: 'only-empty-account' });
  await refusal(response, 429, { code: 'upstream_quota_exhausted' });
  assert.deepEqual([response.headers.get('retry-after'), response.headers.get('x-should-retry')], [null, 'false']);
});

test('a provider\'s refusal of the request itself passes through to the byte, and no other target is tried', TIMEOUT, async () => {
  const tenant = await world.tenant(BUDGET);
  for (const status of [400, 404, 409, 422]) {
    for (const stream of [false, true]) {
      const direct = await fetch(`${world.provider.url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify({ model: `fail${status}`, messages: HELLO }) });
      const response = await tenant.chat({ model: `says-${status}`, stream });
      assert.deepEqual([response.status, await response.text()], [status, await direct.text()]);
      assert.equal(response.headers.get('content-type'), direct.headers.get('content-type'));
      const row = await world.settled(response);
      assert.deepEqual([row.status, row.attempts, row.cost, row.input], [status, 1, 0, 0]);
      assert.equal(world.seen(response).length, 1);
    }
  }
  assert.deepEqual(await route(tenant, 'steady'), ['c10']);
});
