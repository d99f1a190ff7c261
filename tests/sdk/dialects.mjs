// A gateway whose providers speak every dialect, all of them the scripted one.

import { withBinding } from '../provider/binding.mjs';
import { SECRETS, startWorld } from '../workerd/support.mjs';

const SECRETS_OF_PROVIDERS = {
  OPENAI_API_KEY: 'sk-openai-test', ANTHROPIC_API_KEY: 'sk-ant-test', GEMINI_API_KEY: 'gemini-test-key', AWS_ID: 'AKIATEST', AWS_KEY: 'test-secret',
};
const AWS = { access_key_id: 'AWS_ID', secret_access_key: 'AWS_KEY', region: 'us-east-1' };
/**
 * By name; `path` is where the scripted provider speaks so, `vendor` is before each model's name there. What is not said here is built in.
 */
export const PROVIDERS = {
  openai: { dialect: 'openai', path: '/v1' },
  responses: { dialect: 'responses', path: '/v1', auth: { bearer: 'OPENAI_API_KEY' } },
  anthropic: { path: '/v1', shared: false },
  gemini: { path: '/v1beta' },
  converse: { dialect: 'converse', path: '', auth: { aws: AWS } },
  'workers-ai-binding': {},
  'workers-ai-newer': { dialect: 'workers-ai', binding: 'AI', vendor: '@cf/openai/' },
};
/** A model of each of these names is at each provider: `openai-plain`, … */
const WORDS = { plain: 'c10-i19', thinking: 'c10-i19-r7', tool: 'tool', tools: 'tools2', json: 'json', failing: 'fail400', slow: 'c200-d20' };
/** What the plain model says, and its usage. */
export const [SAID, INPUT, OUTPUT] = ['the quick brown fox jumps over the lazy dog while ', 19, 10];

/** The gateway, and a tenant under a budget. */
export async function startDialects() {
  const world = await startWorld({
    gateway: async (provider) => ({ worker: await withBinding(provider), secrets: { ...SECRETS, ...SECRETS_OF_PROVIDERS } }),
  });
  const models = {};
  for (const [provider, { vendor = '' }] of Object.entries(PROVIDERS)) {
    for (const [name, words] of Object.entries(WORDS)) {
      models[`${provider}-${name}`] = { targets: [{ provider, model: vendor + words }], max_output: 8_000, drop_unsupported: true };
    }
  }
  const providers = Object.fromEntries(Object.entries(PROVIDERS).map(([name, { path, vendor, ...row }]) => (
    [name, path === undefined ? row : { ...row, base_url: `${world.provider.url}${path}` }])));
  const prices = Object.fromEntries(Object.keys(PROVIDERS).map((name) => [`${name}/*`, { input: '1', output: '3' }]));
  await world.admin('PUT', '/catalog', { providers, models, prices });
  const limits = [{ name: 'cost', what: 'cost', per: 'tenant', window: 'month', max: '1000' }];
  return { world, tenant: await world.tenant('dialects', { limits }) };
}
