// Workers AI through the AI binding: workerd's own code of it, `env.AI.run`, and behind that the scripted provider.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { withBinding } from '../provider/binding.mjs';
import { messages } from '../sdk/clients/anthropic.mjs';
import { chat } from '../sdk/clients/openai.mjs';
import { HELLO, PRICE, contentOf, events, inTime, refusal, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 40_000 };
const SAID = 'the quick brown fox jumps over the lazy dog while ';
/** Models of either form of an answer. */
const FORMS = { older: '@cf/meta', newer: '@cf/openai' };
const WORDS = { plain: 'c10-i19', tool: 'tool', json: 'json', failing: 'fail400', slow: 'c400-d10' };
/** Ways to fail that another target makes up for; `cut` has a head. */
const FAILURES = ['fail429', 'fail500', 'fail403'];
/** Those after which the model may have worked all the same. */
const SILENCES = ['fail408', 'reset', 'hang', 'badjson', 'cut4'];
const PROVIDERS = {
  'workers-ai-binding': {},
  hasty: { dialect: 'workers-ai', binding: 'AI', timeout: '1s' },
  undeclared: { dialect: 'workers-ai', binding: 'OTHER_AI' },
  secret: { dialect: 'workers-ai', binding: 'PROVIDER_A_KEY' },
};
const BUDGET = { limits: [{ name: 'budget', what: 'cost', per: 'tenant', window: 'lifetime', max: '1' }] };
let world;

before(async () => {
  world = await startWorld({ worker: withBinding });
  const models = {};
  for (const [form, vendor] of Object.entries(FORMS)) {
    for (const [name, words] of Object.entries(WORDS)) models[`${form}-${name}`] = `workers-ai-binding/${vendor}/${words}`;
  }
  for (const words of [...FAILURES, ...SILENCES]) models[`after-${words}`] = [`hasty/@cf/meta/c10-${words}`, 'b/c3-i5'];
  await world.catalog({
    ...models, 'only-silent': 'hasty/@cf/meta/c10-hang', 'only-gone': 'hasty/@cf/meta/c10-reset', 'only-busy': 'hasty/@cf/meta/fail429-ra7',
    second: ['a/c10-fail500', 'workers-ai-binding/@cf/meta/c4-i6'], undeclared: 'undeclared/@cf/meta/c10', secret: 'secret/@cf/meta/c10', elsewhere: 'b/c3-i5',
    embed: 'workers-ai-binding/@cf/meta/c1', untold: 'workers-ai-binding/@cf/meta/c10-nousage', broken: 'workers-ai-binding/@cf/meta/c10-d20-err4',
  }, { providers: PROVIDERS, prices: Object.fromEntries(['a', 'b', ...Object.keys(PROVIDERS)].map((name) => [`${name}/*`, PRICE])) });
});

after(() => world.stop());

/** The last call of the binding that the provider saw, once it is over. */
const heard = () => inTime(world.provider.until((calls) => calls.findLast((call) => call.dialect === 'workersAi' && (call.completed || call.aborted))), 'the binding is heard');
/** The only row of a tenant's ledger. */
async function rowOf(tenant) {
  const { total } = (await tenant.usage()).periods.lifetime;
  assert.equal(total.calls, 1);
  return total;
}

for (const client of [chat, messages]) {
  for (const form of Object.keys(FORMS)) {
    const check = (what, act, policy = BUDGET) => test(`${client.name}, a model of the ${form} form: ${what}`, TIMEOUT, async () => {
      const tenant = await world.tenant(policy);
      await act(client.connect({ url: world.url, key: tenant.key }), tenant);
    });

    for (const way of ['whole', 'streamed']) {
      check(`an answer, ${way}, is billed what was reported`, async (connected, tenant) => {
        const told = await client[way](connected, `${form}-plain`);
        assert.deepEqual(told, { text: SAID, finish: client.finishes.stop, input: 19, output: 10 });
        const { usage } = await heard();
        assert.deepEqual([usage.prompt_tokens, usage.completion_tokens], [19, 10]);
        const total = await rowOf(tenant);
        assert.deepEqual([total.input_tokens, total.output_tokens, total.cost], [19, 10, '0.000039']);
      });
      check(`a round trip of a tool, ${way}`, async (connected, tenant) => {
        const { calls, finish, text } = await client.tools(connected, `${form}-tool`, way === 'streamed');
        assert.deepEqual(calls.map(({ name, arguments: given }) => [name, given]), [['get_weather', { city: 'Paris' }]]);
        assert.equal(finish, client.finishes.tools);
        assert.equal(text, SAID);
        assert.equal((await tenant.usage()).periods.lifetime.total.calls, 2);
        const { body } = await heard();
        assert.deepEqual(body.messages.slice(1).map(({ role }) => role), ['assistant', 'tool']);
        assert.equal(body.messages[2].tool_call_id, body.messages[1].tool_calls[0].id);
      });
    }
    check('an answer of a schema', async (connected) => {
      assert.deepEqual(await client.schema(connected, `${form}-json`), { city: 'Paris' });
    });
    check('an error keeps its status and its words, and is for nothing', async (connected, tenant) => {
      const error = await client.whole(connected, `${form}-failing`).then(() => null, (thrown) => thrown);
      const { status, message } = client.fault(error);
      assert.equal(status, 400);
      assert.match(message, /refused by the script/);
      assert.equal((await rowOf(tenant)).cost, '0');
    });
    check('a call beyond the budget is refused before it goes out', async (connected) => {
      const before = world.provider.stats().requests;
      const error = await client.whole(connected, `${form}-plain`).then(() => null, (thrown) => thrown);
      assert.equal(client.fault(error).status, 429);
      assert.equal(world.provider.stats().requests, before);
    }, { limits: [{ ...BUDGET.limits[0], max: '0.000001' }] });
    check('a client that leaves stops the model and pays for what came', async (connected, tenant) => {
      const controller = new AbortController();
      const before = world.provider.stats().aborted;
      const stream = await client.abort(connected, `${form}-slow`, controller.signal);
      let chunks = 0;
      for await (const _ of stream) if ((chunks += 1) === 4) break;
      controller.abort();
      await inTime(world.provider.until((_, { aborted }) => aborted > before), 'the model is stopped');
      const { chunks: sent } = await heard();
      assert.ok(sent < 400, `${sent} came`);
      const total = await rowOf(tenant);
      assert.ok(total.output_tokens > 0 && total.output_tokens <= sent, `${total.output_tokens} of ${sent}`);
    });
  }
}

test('the binding is given the model, its inputs and nothing else of the call', TIMEOUT, async () => {
  const tenant = await world.tenant(BUDGET);
  const content = [{ type: 'text', text: 'What' }, { type: 'text', text: 'is it?' }];
  const response = await tenant.chat({ model: 'older-plain', messages: [{ role: 'user', content }], max_completion_tokens: 50, temperature: 0.5, user: 'me', stream: true });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('x-tollgate-target'), 'workers-ai-binding/@cf/meta/c10-i19');
  assert.equal(response.headers.get('x-tollgate-dropped'), 'user');
  assert.equal(contentOf(events(await response.text())), SAID);
  const { body, headers, auth } = await heard();
  assert.deepEqual(body, {
    messages: [{ role: 'user', content: 'What\nis it?' }], max_tokens: 50, temperature: 0.5, stream: true, stream_options: { include_usage: true },
    model: '@cf/meta/c10-i19', options: { returnRawResponse: true },
  });
  assert.deepEqual(auth, {});
  assert.ok(!JSON.stringify(headers).includes(tenant.key), 'the key stays here');
  const row = await world.settled(response);
  assert.deepEqual([row.target, row.truth, row.cost], ['workers-ai-binding/@cf/meta/c10-i19', 'reported', 39_000]);
});

test('what not every model there is given is refused by its name', TIMEOUT, async () => {
  const tenant = await world.tenant(BUDGET);
  const before = world.provider.stats().requests;
  for (const [name, value] of [['stop', ['x']], ['n', 2], ['logprobs', true], ['parallel_tool_calls', false]]) {
    const error = await refusal(await tenant.chat({ model: 'older-plain', [name]: value }), 400, { code: 'unsupported_parameter', param: name });
    assert.match(error.message, /workers-ai-binding/);
  }
  const vectors = await tenant.post('/v1/embeddings', { model: 'embed', input: 'x' });
  await refusal(vectors, 400, { code: 'unsupported_parameter', message: /answers no calls of this kind/ });
  assert.equal(world.provider.stats().requests, before);
});

test('a binding that is not declared is named, with what declares it, and the other models are there', TIMEOUT, async () => {
  const tenant = await world.tenant(BUDGET);
  for (const [model, name] of [['undeclared', 'OTHER_AI'], ['secret', 'PROVIDER_A_KEY']]) {
    const response = await tenant.chat({ model });
    const error = await refusal(response, 503, { type: 'service_unavailable_error', code: 'gateway_not_set_up', param: null });
    assert.match(error.message, new RegExp(`the binding ${name} is missing.*\\[ai\\] binding = "${name}"`));
    assert.equal(response.headers.get('x-should-retry'), 'false');
    assert.equal((await world.settled(response)).cost, 0);
  }
  assert.equal((await tenant.chat({ model: 'elsewhere' })).status, 200);
  assert.equal((await tenant.limit('budget')).held, '0');
});

test('another target answers for a binding that fails, and the failure is on record', TIMEOUT, async () => {
  for (const words of [...FAILURES, ...SILENCES]) {
    const tenant = await world.tenant(BUDGET);
    const response = await tenant.chat({ model: `after-${words}` });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    assert.equal(response.headers.get('x-tollgate-target'), 'b/c3-i5', words);
    const row = await world.settled(response);
    assert.equal(row.attempts, 2, words);
    if (SILENCES.includes(words)) assert.ok(row.truth === 'estimated' && row.cost > 11_000 && row.cost <= row.held_cost, `${words}: ${row.cost}`);
    else assert.deepEqual([row.truth, row.input, row.output, row.cost], ['reported', 5, 3, 11_000], words);
  }
});

test('a binding answers for another target that fails', TIMEOUT, async () => {
  const response = await (await world.tenant(BUDGET)).chat({ model: 'second' });
  assert.equal(response.headers.get('x-tollgate-target'), 'workers-ai-binding/@cf/meta/c4-i6', await response.text());
  const row = await world.settled(response);
  assert.deepEqual([row.attempts, row.input, row.output], [2, 6, 4]);
});

test('where no target is left the client is told what was wrong with the binding', TIMEOUT, async () => {
  const tenant = await world.tenant(BUDGET);
  for (const [model, status, code, wait] of [
    ['only-silent', 504, 'upstream_timeout', null], ['only-gone', 502, 'upstream_unreachable', null], ['only-busy', 429, 'upstream_rate_limited', '7'],
  ]) {
    for (const stream of [false, true]) {
      const response = await tenant.chat({ model, stream });
      await refusal(response, status, { code });
      assert.equal(response.headers.get('retry-after'), wait, model);
      const row = await world.settled(response);
      assert.deepEqual([row.attempts, row.truth], [1, model === 'only-busy' ? 'reported' : 'estimated'], model);
      assert.ok(model === 'only-busy' ? row.cost === 0 : row.cost > 0 && row.cost <= row.held_cost, `${model}: ${row.cost}`);
    }
  }
});

test('a stream without a usage is counted, and one that breaks tells its error', TIMEOUT, async () => {
  const tenant = await world.tenant(BUDGET);
  const untold = await tenant.chat({ model: 'untold', stream: true });
  assert.equal(contentOf(events(await untold.text())), SAID);
  const counted = await world.settled(untold);
  assert.deepEqual([counted.truth, counted.output], ['counted', 10]);
  const broken = await tenant.chat({ model: 'broken', stream: true });
  const last = events(await broken.text()).at(-1);
  assert.equal(last.data.error?.code, '3040', JSON.stringify(last));
  const row = await world.settled(broken);
  assert.deepEqual([row.truth, row.output], ['estimated', 4]);
});

test('nothing is passed on to a binding as it is: it has no paths', TIMEOUT, async () => {
  const tenant = await world.tenant({ ...BUDGET, passthrough: ['*'] });
  const error = await refusal(await tenant.post('/providers/workers-ai-binding/run/@cf/meta/c10', { messages: HELLO }), 400, { code: 'passthrough_not_supported' });
  assert.match(error.message, /workers-ai-binding is a binding/);
  assert.equal((await tenant.limit('budget')).used, '0');
});
