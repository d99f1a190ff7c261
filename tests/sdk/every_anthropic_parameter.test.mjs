// Every field of a message that Anthropic's SDK declares passes under hard limits, whole and streamed, and arrives as it was sent, at
// an account that no other tenant shares. When the SDK learns a field, the first test here fails.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { startDialects } from './dialects.mjs';

const TYPES = new URL('../../node_modules/@anthropic-ai/sdk/resources/messages/messages.d.ts', import.meta.url);
const IMAGE = 'iVBORw0KGgo/'.repeat(50);
const PDF = `JVBERi0xLjQK${'AAAA'.repeat(100)}`;
const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
const cache_control = { type: 'ephemeral', ttl: '1h' };
const EVERYTHING = {
  model: 'anthropic-plain',
  max_tokens: 4_000,
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Some text.', cache_control },
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: IMAGE } },
        { type: 'image', source: { type: 'url', url: 'https://example.com/cat.png' } },
        { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: PDF }, title: 'A PDF', context: 'Of old.', citations: { enabled: true } },
        { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'Plain.' }, citations: { enabled: true } },
        { type: 'search_result', source: 'https://example.com', title: 'Found', content: [{ type: 'text', text: 'Words.' }], citations: { enabled: true } },
      ],
    },
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'Hm.', signature: 'c2lnbmF0dXJl' },
        { type: 'redacted_thinking', data: 'c2VhbGVk' },
        { type: 'text', text: 'I look.' },
        { type: 'tool_use', id: 'toolu_1', name: 'get_weather', input: { city: 'Paris' } },
      ],
    },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: [{ type: 'text', text: 'no data' }], is_error: true, cache_control: { type: 'ephemeral' } }] },
  ],
  cache_control: { type: 'ephemeral' },
  container: 'container_1',
  diagnostics: { previous_message_id: 'msg_1' },
  inference_geo: 'us',
  metadata: { user_id: 'someone' },
  output_config: { effort: 'low', format: { type: 'json_schema', schema } },
  service_tier: 'auto',
  speed: 'standard',
  stop_sequences: ['END'],
  stream: false,
  system: [{ type: 'text', text: 'Be brief.', cache_control }],
  thinking: { type: 'enabled', budget_tokens: 1_024 },
  tool_choice: { type: 'auto', disable_parallel_tool_use: true },
  tools: [
    { name: 'get_weather', description: 'Tells the weather.', input_schema: schema, strict: true, cache_control },
    { type: 'web_search_20250305', name: 'web_search', max_uses: 1 },
  ],
  user_profile_id: 'profile_1',
  workspace_id: 'workspace_1',
};
/** Those that stand in the request's head. */
const IN_HEAD = new Set(['user_profile_id', 'workspace_id']);

let world;
let tenant;
before(async () => {
  ({ world } = await startDialects());
  const limit = (name, what, max) => ({ name, what, per: 'tenant', window: what === 'concurrency' ? undefined : 'month', max });
  const limits = [limit('cost', 'cost', '10'), limit('tokens', 'tokens', 1_000_000), limit('output', 'output_tokens', 100_000), limit('busy', 'concurrency', 2)];
  tenant = await world.tenant('everything', { limits });
});
after(() => world.stop());

test('these are all the fields that the SDK declares', () => {
  const [, body] = /export interface MessageCreateParamsBase \{([\s\S]*?)\n\}/.exec(readFileSync(TYPES, 'utf8'));
  const declared = [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, name]) => name);
  assert.deepEqual(Object.keys(EVERYTHING).toSorted(), declared.toSorted());
});

for (const stream of [false, true]) {
  test(`all of them pass and arrive as they were sent, ${stream ? 'streamed' : 'whole'}`, async () => {
    const client = new Anthropic({ baseURL: world.url, apiKey: tenant.key, maxRetries: 0 });
    world.provider.reset();
    const message = stream ? await client.messages.stream({ ...EVERYTHING, stream: undefined }).finalMessage() : await client.messages.create(EVERYTHING);
    assert.ok(message.content.length > 0);
    const [{ body }] = world.provider.calls();
    const sent = Object.fromEntries(Object.entries({ ...EVERYTHING, model: 'c10-i19', stream }).filter(([name]) => !IN_HEAD.has(name)));
    assert.deepEqual(Object.fromEntries(Object.entries(body).filter(([name]) => !IN_HEAD.has(name))), sent);
    const row = (await tenant.settled()).at(-1);
    assert.deepEqual([row.status, row.truth, row.input], [200, 'reported', 19]);
    assert.ok(row.held_cost > row.cost);
  });
}
