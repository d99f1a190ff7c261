// What calls cost: by the lists that are built in, by the catalog, and where nobody knows a price.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { refusal, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 30_000 };
const BUDGET = { limits: [{ what: 'cost', per: 'tenant', window: 'day', max: '5' }] };
let world;
before(async () => { world = await startWorld(); });
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
