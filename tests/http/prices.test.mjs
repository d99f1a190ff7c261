// What calls cost: by the lists that are built in, by the catalog, and where nobody knows a price.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { HELLO, PRICE, refusal, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 30_000 };
const BUDGET = { limits: [{ what: 'cost', per: 'tenant', window: 'day', max: '5' }] };
let world;
/** What the built-in rows of the providers are shown, all of them the scripted one. */
const KEYS = { OPENAI_API_KEY: 'sk-openai-test', ANTHROPIC_API_KEY: 'sk-ant-test', GEMINI_API_KEY: 'gemini-test-key', AWS_ID: 'AKIATEST', AWS_KEY: 'test-secret' };
before(async () => { world = await startWorld({ secrets: KEYS }); });
after(() => world.stop());

/** The ledger's row of a call of `model`: the provider's names hold what it is to answer. */
async function bill(model, policy = {}, stream = false) {
  const response = await (await world.tenant(policy)).chat({ model, stream });
  assert.equal(response.status, 200, await response.clone().text());
  await response.text();
  return world.settled(response);
}

test('a provider\'s list prices every part of a usage, and the catalog comes before it', TIMEOUT, async () => {
  await world.catalog({
    nano: 'a/gpt-5-nano-i200-k50-c10', long: 'b/claude-sonnet-4-5-i200001-k100000-c3', short: 'b/claude-sonnet-4-5-i200000-c3',
    own: 'b/claude-opus-4-1-i100-c10', tiered: 'b/claude-haiku-4-5-i101-c1',
  }, {
    providers: { a: { price_list: 'openai' }, b: { price_list: 'anthropic' } },
    prices: {
      'b/claude-opus-*': { input: '1', output: '2', request: '0.01' },
      'b/claude-haiku-4-5-i101-c1': [{ input: '1' }, { from: '2026-01-01T00:00:00Z', input: '2', tiers: [{ above: 100, input: '4', output: '8' }] }],
    },
  });
  for (const [model, cost, by] of [
    ['nano', 150 * 50 + 50 * 5 + 10 * 400, /^genai-prices:\d+\.\d+\.\d+$/],
    ['short', 200_000 * 3_000 + 3 * 15_000, /^genai-prices:/],
    ['long', 100_001 * 6_000 + 100_000 * 600 + 3 * 22_500, /^genai-prices:/],
    ['own', 10_000_000 + 100 * 1_000 + 10 * 2_000, /^catalog:\d+$/],
    ['tiered', 101 * 4_000 + 8_000, /^catalog:\d+@2026-01-01$/],
  ]) {
    for (const stream of [false, true]) {
      const row = await bill(model, {}, stream);
      assert.equal(row.cost, cost, model);
      assert.match(row.priced_by, by, model);
    }
  }
});

test('where nobody knows a price the policy decides: refused, at the default price, or free', TIMEOUT, async () => {
  const asked = (unknown_price) => ({ ...BUDGET, unknown_price });
  await world.catalog({ odd: 'a/i100-c10' }, { prices: {} });
  const refused = async (policy, message) => {
    const tenant = await world.tenant(policy);
    await refusal(await tenant.chat({ model: 'odd' }), 503, { code: 'price_unknown', message });
    assert.equal((await tenant.usage()).periods.lifetime.total.calls, 0);
  };
  await refused(BUDGET, /a\/i100-c10 has no price\. .* prices\["a\/i100-c10"\]\.$/);
  await refused(asked('default'), /prices\["a\/i100-c10"\] or default_price\.$/);
  const { cost, input, output, priced_by } = await bill('odd', asked('track_only'));
  assert.deepEqual([cost, input, output, priced_by || ''], [0, 100, 10, '']);

  await world.catalog({ odd: 'a/i100-c10' }, { prices: {}, default_price: { input: '50', output: '100' } });
  await refused(asked('reject'), /has no price/);
  const row = await bill('odd', asked('default'));
  assert.equal(row.cost, 100 * 50_000 + 10 * 100_000);
  assert.match(row.priced_by, /^default:\d+$/);
});

// ---- how it was served ----------------------------------------------------------------------------------------------------------

const AWS = { access_key_id: 'AWS_ID', secret_access_key: 'AWS_KEY', region: 'us-east-1' };
/** A dialect's provider, and the requests of its clients: the path, the body for a model, and what asks for a dearer service. */
const DIALECTS = {
  openai: { path: '/v1', ask: (model, stream) => ['/v1/chat/completions', { model, stream, messages: HELLO }], dearer: { service_tier: 'priority' } },
  responses: { path: '/v1', ask: (model, stream) => ['/v1/responses', { model, stream, input: 'Hello!' }], dearer: { service_tier: 'priority' } },
  anthropic: { path: '/v1', ask: (model, stream) => ['/v1/messages', { model, stream, max_tokens: 100, messages: HELLO }], dearer: { speed: 'fast' } },
  gemini: {
    path: '/v1beta', dearer: { serviceTier: 'priority' },
    ask: (model, stream) => [`/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`, { contents: [{ parts: [{ text: 'Hello!' }] }] }],
  },
};
const SERVED = {
  input: '1', output: '2', search: '0.01',
  variants: { priority: { input: '2', output: '6' }, flex: { multiply: '0.5' }, fast: { multiply: '6' }, us: { multiply: '1.1' }, optimized: { output: '9' } },
};
const STANDARD = 100 * 1_000 + 10 * 2_000;
/** The catalog of a test: by `provider` a model for each of `words`, whose name at the provider says how it is served. */
async function served(words, prices, models = {}) {
  const row = ([dialect, { path }]) => [dialect, { dialect, base_url: world.provider.url + path, price_list: 'none',
    ...(dialect === 'responses' && { auth: { bearer: 'OPENAI_API_KEY' } }) }];
  const own = Object.entries(DIALECTS).map(row);
  const providers = Object.fromEntries([...own, ['converse', { dialect: 'converse', base_url: world.provider.url, auth: { aws: AWS }, price_list: 'none' }]]);
  const all = Object.keys(providers).flatMap((provider) => words.map((word) => [`${provider}-${word}`, `${provider}/i100-c10-${word}`]));
  return world.catalog({ ...Object.fromEntries(all), ...models }, { providers, prices: { 'a/*': PRICE, 'b/*': PRICE, ...prices } });
}

/** What a call of `dialect` is billed: its cost, and what is written behind the name of its price. */
async function billed(tenant, dialect, model, stream, more = {}) {
  const [path, body] = DIALECTS[dialect].ask(model, stream);
  const response = await tenant.post(path, { ...body, ...more });
  assert.equal(response.status, 200, await response.clone().text());
  await response.text();
  const row = await world.settled(response);
  assert.deepEqual([row.input, row.output, row.truth], [100, 10, 'reported'], `${model} ${stream}`);
  return [row.cost, row.priced_by.replace(/^catalog:\d+/, '')];
}

test('a call is billed by the service that its answer tells, whole and streamed, in every dialect and between them', TIMEOUT, async () => {
  const priority = 100 * 2_000 + 10 * 6_000;
  const cases = {
    openai: { tierdefault: [STANDARD, ''], tierpriority: [priority, '/priority'], tierflex: [STANDARD / 2, '/flex'], tierscale: [STANDARD, ''] },
    responses: { tierpriority: [priority, '/priority'], tierflex: [STANDARD / 2, '/flex'], q3: [STANDARD + 30_000_000, ''] },
    anthropic: {
      tierbatch: [STANDARD, ''], tierpriority: [priority, '/priority'], speedfast: [6 * STANDARD, '/fast'], geous: [STANDARD * 1.1, '/us'],
      'speedfast-geous-q2': [STANDARD * 6.6 + 20_000_000, '/fast/us'],
    },
    gemini: { tierpriority: [priority, '/priority'], tierflex: [STANDARD / 2, '/flex'], q2: [STANDARD + 20_000_000, ''] },
    converse: { tierpriority: [priority, '/priority'], latencyoptimized: [100 * 1_000 + 10 * 9_000, '/optimized'] },
  };
  const words = [...new Set(Object.values(cases).flatMap(Object.keys))];
  await served(words, Object.fromEntries(Object.keys(cases).map((provider) => [`${provider}/*`, SERVED])));
  const tenant = await world.tenant(BUDGET);
  for (const [provider, rows] of Object.entries(cases)) {
    for (const [word, expected] of Object.entries(rows)) {
      // By a client of the same dialect, and by one of another.
      for (const client of new Set([provider === 'converse' ? 'openai' : provider, 'openai', 'anthropic'])) {
        for (const stream of [false, true]) {
          assert.deepEqual(await billed(tenant, client, `${provider}-${word}`, stream), expected, `${client} to ${provider} ${word} ${stream}`);
        }
      }
    }
  }
});

test('a dearer service that is asked for is billed unless the answer denies it, and is held for', TIMEOUT, async () => {
  const model = (provider) => ({ targets: [{ provider, model: 'i100-c10' }], max_input: 100, max_output: 10, unbounded_reserve: '0.05' });
  const providers = Object.keys(DIALECTS);
  const models = Object.fromEntries(providers.flatMap((provider) => [[`${provider}-own`, model(provider)]]));
  await served([], Object.fromEntries(providers.map((provider) => [`${provider}/*`, SERVED])), models);
  const tenant = await world.tenant(BUDGET);
  // The provider of openai's dialect, and that of Responses, says "default"; Gemini's says nothing; Anthropic's speed is null.
  const expected = {
    openai: [STANDARD, ''], responses: [STANDARD, ''], anthropic: [6 * STANDARD, '/fast'], gemini: [100 * 2_000 + 10 * 6_000, '/priority'],
  };
  for (const dialect of providers) {
    for (const stream of [false, true]) {
      assert.deepEqual(await billed(tenant, dialect, `${dialect}-own`, stream, DIALECTS[dialect].dearer), expected[dialect], dialect);
    }
  }
  const exactly = (micros) => ({ limits: [{ name: 'money', what: 'cost', per: 'tenant', window: 'lifetime', max: (micros / 1_000_000).toFixed(6) }], on_shortfall: 'reject' });
  const held = { openai: 260, anthropic: 720 };
  for (const [dialect, micros] of Object.entries(held)) {
    const [path, body] = DIALECTS[dialect].ask(`${dialect}-own`, false);
    const asks = { ...body, max_tokens: 10, messages: [{ role: 'user', content: 'Hello! '.repeat(30) }], ...DIALECTS[dialect].dearer };
    const short = await (await world.tenant(exactly(micros - 1))).post(path, asks);
    assert.equal(short.status, 429, await short.text());
    const enough = await (await world.tenant(exactly(micros))).post(path, asks);
    assert.equal(enough.status, 200, await enough.text());
    await world.settled(enough);
  }
});

test('what has no price of its own is billed by what is held for it', TIMEOUT, async () => {
  const model = (word) => ({ targets: [{ provider: 'openai', model: `i100-c10-${word}` }], max_input: 100, max_output: 10, unbounded_reserve: '0.05' });
  const plain = { input: '1', output: '2' };
  const words = ['tierpriority', 'tierflex', 'tiernovel', 'cite', 'x'];
  const claude = { targets: [{ provider: 'anthropic', model: 'i100-c10-q50' }], max_input: 100, max_output: 10, unbounded_reserve: '0.05' };
  await served([], { 'openai/*': plain, 'anthropic/*': plain }, { ...Object.fromEntries(words.map((word) => [word, model(word)])), claude });
  const tenant = await world.tenant(BUDGET);
  const reserved = [STANDARD + 50_000_000, '+reserve'];
  for (const stream of [false, true]) {
    assert.deepEqual(await billed(tenant, 'openai', 'tierpriority', stream), reserved);
    assert.deepEqual(await billed(tenant, 'openai', 'tiernovel', stream), reserved);
    assert.deepEqual(await billed(tenant, 'openai', 'tierflex', stream), [STANDARD, '']);
    assert.deepEqual(await billed(tenant, 'openai', 'cite', stream), [STANDARD, ''], 'what is cited may be from anywhere');
    assert.deepEqual(await billed(tenant, 'openai', 'x', stream, { web_search_options: {} }), reserved);
    assert.deepEqual(await billed(tenant, 'anthropic', 'claude', stream), reserved);
  }
});

test('a native answer is billed by the service and the searches that it tells, whole and streamed', TIMEOUT, async () => {
  const names = ['openai', 'responses', 'anthropic', 'gemini'];
  await served([], { ...Object.fromEntries(names.map((name) => [`${name}/*`, SERVED])), 'openai/images/*': { input: '0', request: '0.04' } });
  const tenant = await world.tenant({ ...BUDGET, passthrough: ['*'] });
  const path = { openai: '/chat/completions', responses: '/responses', anthropic: '/messages' };
  for (const [name, word, cost, by] of [
    ['openai', 'tierpriority', 260_000, '/priority'], ['responses', 'tierpriority-q1', 260_000 + 10_000_000, '/priority'],
    ['anthropic', 'speedfast-q3', 6 * STANDARD + 30_000_000, '/fast'], ['gemini', 'tierflex-q2', STANDARD / 2 + 20_000_000, '/flex'],
    ['openai', 'tierdefault', STANDARD, ''],
  ]) {
    for (const stream of [false, true]) {
      const [own, body] = DIALECTS[name].ask(`i100-c10-${word}`, stream);
      const asks = name === 'openai' && stream ? { ...body, stream_options: { include_usage: true } } : body;
      const response = await tenant.post(`/providers/${name}${path[name] ?? own.replace('/v1beta', '')}`, asks);
      assert.equal(response.status, 200, await response.clone().text());
      await response.text();
      const row = await world.settled(response);
      assert.deepEqual([row.cost, row.priced_by.replace(/^catalog:\d+/, '')], [cost, by], `${name} ${word} ${stream}`);
    }
  }
});
