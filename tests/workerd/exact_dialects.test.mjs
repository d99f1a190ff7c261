// Budgets are exact whatever the client speaks and whoever answers: 40 calls at once against money for exactly K of them admit K.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SECRETS, dollarsOf, eventually, inTime, nanoOf, startWorld } from './support.mjs';

const CALLERS = 40;
const FITS = [0, 1, 13, 40];
const KEYS = { OPENAI_API_KEY: 'sk-openai-test', ANTHROPIC_API_KEY: 'sk-ant-test', GEMINI_API_KEY: 'gemini-test-key' };
const HI = 'Hi there.';
const CLIENTS = {
  chat: (model) => ['/v1/chat/completions', { model, max_tokens: 20, messages: [{ role: 'user', content: HI }] }],
  completions: (model) => ['/v1/completions', { model, max_tokens: 20, prompt: HI }],
  responses: (model) => ['/v1/responses', { model, max_output_tokens: 20, input: HI }],
  messages: (model) => ['/v1/messages', { model, max_tokens: 20, messages: [{ role: 'user', content: HI }] }],
  gemini: (model) => [`/v1beta/models/${model}:generateContent`, { contents: [{ parts: [{ text: HI }] }], generationConfig: { maxOutputTokens: 20 } }],
};
/** Whether a refusal is one of the client's own dialect, and says what to do. */
const openai = ({ error }) => ['budget_reserved', 'request_too_large_for_limit'].includes(error.code) && error.limits.length === 1;
const REFUSED = {
  chat: openai, completions: openai, responses: openai,
  messages: ({ type, error, request_id }) => type === 'error' && error.type === 'rate_limit_error' && typeof request_id === 'string',
  gemini: ({ error }) => error.code === 429 && error.status === 'RESOURCE_EXHAUSTED' && error.details[0].domain === 'tollgate',
};
const PROVIDERS = { openai: '/v1', responses: '/v1', anthropic: '/v1', gemini: '/v1beta' };

let world;
before(async () => {
  world = await startWorld({ gateway: { secrets: { ...SECRETS, ...KEYS } } });
  const at = (name) => ({ base_url: `http://127.0.0.1:${world.gate.port}${PROVIDERS[name]}` });
  const responses = { ...at('responses'), dialect: 'responses', auth: { bearer: 'OPENAI_API_KEY' } };
  await world.admin('PUT', '/catalog', {
    providers: { openai: at('openai'), responses, anthropic: at('anthropic'), gemini: at('gemini') },
    models: Object.fromEntries(Object.keys(PROVIDERS).map((provider) => [provider, { targets: [{ provider, model: 'c20-i1' }] }])),
    prices: Object.fromEntries(Object.keys(PROVIDERS).map((provider) => [`${provider}/*`, { input: '1', output: '3' }])),
  });
});
after(() => world.stop());

async function call(key, [path, body]) {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const response = await fetch(`${world.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, text: await response.text() };
}

const tenantWith = (id, nano) =>
  world.tenant(id, { on_shortfall: 'reject', limits: [{ name: 'budget', what: 'cost', per: 'tenant', window: 'lifetime', max: dollarsOf(nano) }] });

for (const [client, asked] of Object.entries(CLIENTS)) {
  for (const provider of Object.keys(PROVIDERS)) {
    test(`${client} to ${provider}: of ${CALLERS} calls at once those pass that the money is for`, async () => {
      const one = await tenantWith(`${client}-${provider}`, 1e9);
      world.gate.release();
      const { status, text } = await call(one.key, asked(provider));
      assert.equal(status, 200, text);
      const [row] = await one.settled(1);
      assert.deepEqual([row.truth, row.input, row.output, row.cost], ['reported', 1, 20, 61_000]);
      assert.equal(row.held_cost, Buffer.byteLength(JSON.stringify(asked(provider)[1])) * 1_000 + 20 * 3_000, 'its bytes and its cap');
      for (const fit of FITS) {
        const tenant = await tenantWith(`${client}-${provider}-${fit}`, fit * row.held_cost + row.held_cost - 1);
        world.provider.reset();
        world.gate.hold();
        let refused = 0;
        const racing = Promise.all(Array.from({ length: CALLERS }, async () => {
          const answer = await call(tenant.key, asked(provider));
          refused += answer.status === 200 ? 0 : 1;
          return answer;
        }));
        await eventually('every call is decided', () => refused + world.provider.calls().length >= CALLERS);
        world.gate.release();
        const answers = await inTime('every call is answered', racing);
        assert.equal(answers.filter((answer) => answer.status === 200).length, fit);
        const refusals = answers.filter((answer) => answer.status !== 200);
        assert.ok(refusals.every((answer) => answer.status === 429 && REFUSED[client](JSON.parse(answer.text))), refusals[0]?.text);
        const { budget } = (await tenant.usage()).limits;
        assert.deepEqual([nanoOf(budget.used), nanoOf(budget.held)], [fit * 61_000, 0]);
      }
    });
  }
}
