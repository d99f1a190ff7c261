// Documents of an operator that are wrong: each is refused whole, its first wrong field is named, and what was there before stays.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startWorld } from './support.mjs';

const TIMEOUT = { timeout: 30_000 };
const REQUESTS = { what: 'requests', window: '60s', max: 10 };
let world;
let tenant;

before(async () => {
  world = await startWorld();
  await world.catalog({ chat: 'c10' });
  tenant = await world.tenant({ limits: [REQUESTS] });
});

after(() => world.stop());

/** Checks an answer of the admin API: { status, code, param, words of the message }. */
function checkRefusal(answer, { status = 400, type = 'invalid_request_error', code = 'invalid_document', param, words = /./ }, what) {
  const { error } = answer.body;
  assert.deepEqual(Object.keys(error).slice(0, 4).sort(), ['code', 'message', 'param', 'type'], what);
  assert.deepEqual([answer.status, error.type, error.code, error.param], [status, type, code, param], `${what}: ${error.message}`);
  assert.match(error.message, words, what);
  assert.equal(answer.headers.get('x-should-retry'), 'false', what);
}

/** All that an operator has set, and what the tenant has used. */
async function everything() {
  const shown = await Promise.all(['/catalog', '/tenants', `/tenants/${tenant.id}`, `/tenants/${tenant.id}/keys`].map((path) => world.admin('GET', path)));
  return { shown: shown.map(({ body }) => body), footprint: await tenant.footprint() };
}

async function changesNothing(act) {
  const before = await everything();
  await act();
  assert.deepEqual(await everything(), before);
}

const limit = (fields) => ({ limits: [{ ...REQUESTS, ...fields }] });
const BAD_POLICIES = [
  ['a negative limit', limit({ max: -1 }), 'limits[0].max', /a whole number from 0 to 9007199254740991; got -1/],
  ['a limit of 2^53', limit({ max: 9_007_199_254_740_992 }), 'limits[0].max', /got 9007199254740992/],
  ['a limit of 1e300', limit({ max: 1e300 }), 'limits[0].max', /a whole number/],
  ['a limit that is a fraction', limit({ max: 0.5 }), 'limits[0].max', /a whole number/],
  ['a limit as text', limit({ max: '10' }), 'limits[0].max', /a whole number/],
  ['no limit', { limits: [{ what: 'requests', window: '60s' }] }, 'limits[0].max', /is missing/],
  ['negative money', limit({ what: 'cost', max: '-5' }), 'limits[0].max', /US dollars/],
  ['money as a fraction', limit({ what: 'cost', max: 0.1 }), 'limits[0].max', /US dollars as a decimal text/],
  ['more money than there is', limit({ what: 'cost', max: '9007200' }), 'limits[0].max', /from 0 to 9007199/],
  ['money of ten decimals', limit({ what: 'cost', max: '0.0000000001' }), 'limits[0].max', /at most 9 decimals/],
  ['an unknown kind', limit({ what: 'calls' }), 'limits[0].what', /one of requests, tokens/],
  ['an unknown window', limit({ window: '2h' }), 'limits[0].window', /"1s" to "1h"/],
  ['no window', { limits: [{ what: 'requests', max: 1 }] }, 'limits[0]', /has no "window"/],
  ['a window for concurrency', limit({ what: 'concurrency' }), 'limits[0].window', /does not go with concurrency/],
  ['a misspelt field', limit({ maximum: 1 }), 'limits[0].maximum', /is not a field here; known are/],
  ['a name that no header may hold', limit({ name: 'a\nb' }), 'limits[0].name', /may hold letters/],
  ['two limits of one name', { limits: [REQUESTS, REQUESTS] }, 'limits[1]', /is the second limit named/],
  ['33 limits', { limits: Array.from({ length: 33 }, (_, at) => ({ ...REQUESTS, name: `l${at}` })) }, 'limits', /at most 32/],
  ['limits as object', { limits: {} }, 'limits', /must be a list/],
  ['a lease of a day', { lease: '24h' }, 'lease', /from 1s to 1h/],
  ['a least fit of 0', { fit_min: 0 }, 'fit_min', /from 1/],
  ['an unknown on_disconnect', { on_disconnect: 'stay' }, 'on_disconnect', /one of abort, drain/],
  ['a shortfall nobody knows', { on_shortfall: 'warn' }, 'on_shortfall', /one of fit, reject/],
  ['an unknown price for free', { unknown_price: 'free' }, 'unknown_price', /one of reject, default, track_only/],
  ['models as text', { models: 'chat' }, 'models', /must be a list/],
  ['a list', [], '', /must be an object/],
];

test('a bad policy is refused for a tenant, new or old, and for a key; the field is named and nothing is changed', TIMEOUT, () =>
  changesNothing(async () => {
    for (const [what, policy, path, words] of BAD_POLICIES) {
      const expected = { param: path === '' ? 'policy' : `policy.${path}`, words };
      checkRefusal(await world.admin('POST', '/tenants', { id: 'new', policy }), expected, `${what}, new`);
      checkRefusal(await world.admin('PATCH', `/tenants/${tenant.id}`, { policy }), expected, `${what}, changed`);
      checkRefusal(await world.admin('POST', `/tenants/${tenant.id}/keys`, { policy }), expected, `${what}, of a key`);
    }
    const perTenant = { policy: limit({ per: 'tenant' }) };
    const expected = { param: 'policy.limits[0].per', words: /must be "key" in a key's policy/ };
    checkRefusal(await world.admin('POST', `/tenants/${tenant.id}/keys`, perTenant), expected, 'a limit per tenant in a key');
  }));

const PROVIDER = { dialect: 'openai', base_url: 'https://api.example.com/v1' };
const MODEL = { targets: [{ provider: 'p', model: 'm' }] };
const CATALOG = { providers: { p: PROVIDER }, models: { m: MODEL }, prices: { 'p/m': { input: '1' } } };
const provider = (fields) => ({ ...CATALOG, providers: { p: { ...PROVIDER, ...fields } } });
const model = (fields) => ({ ...CATALOG, models: { m: { ...MODEL, ...fields } } });
const price = (fields) => ({ ...CATALOG, prices: { 'p/m': fields } });
const LEAKED = 'sk-proj-this-is-a-key-and-no-name';
const BAD_CATALOGS = [
  ['no providers', { models: {} }, 'catalog.providers', /is missing/],
  ['an unknown field', { ...CATALOG, routes: [] }, 'catalog.routes', /is not a field here/],
  ['an unknown dialect', provider({ dialect: 'smoke' }), 'catalog.providers["p"].dialect', /must be one of openai, responses, anthropic/],
  ['a file as address', provider({ base_url: 'file:///etc/passwd' }), 'catalog.providers["p"].base_url', /http or https/],
  ['no address', provider({ base_url: 'api' }), 'catalog.providers["p"].base_url', /http or https/],
  ['a key in the address', provider({ base_url: 'https://a.b/v1?key=x' }), 'catalog.providers["p"].base_url', /put keys into a secret/],
  ['a password in the address', provider({ base_url: 'https://me:pw@a.b/v1' }), 'catalog.providers["p"].base_url', /no user, password/],
  ['a key as a secret\'s name', provider({ auth: { bearer: LEAKED } }), 'catalog.providers["p"].auth.bearer', /never the key itself/],
  ...['ADMIN_TOKEN', 'API_KEYS_SECRET', 'API_KEYS_SECRET_PREVIOUS'].map((bearer) =>
    [`Tollgate's own ${bearer}`, provider({ auth: { bearer } }), 'catalog.providers["p"].auth.bearer', /never sent to a provider/]),
  ['a timeout of an hour', provider({ timeout: '1h' }), 'catalog.providers["p"].timeout', /from 1s to 10m/],
  ['a cap nobody knows', provider({ output_cap: 'max' }), 'catalog.providers["p"].output_cap', /"max_tokens" or/],
  ['no targets', model({ targets: [] }), 'catalog.models["m"].targets', /at least one/],
  ['a target elsewhere', model({ targets: [{ provider: 'q', model: 'm' }] }), 'catalog.models["m"].targets[0].provider', /not among this catalog's/],
  ['a max_output of 0', model({ max_output: 0 }), 'catalog.models["m"].max_output', /from 1/],
  ['a negative max_output', model({ max_output: -1 }), 'catalog.models["m"].max_output', /whole number/],
  ['a price as number', price({ input: 0.15 }), 'catalog.prices["p/m"].input', /as a decimal text/],
  ['a negative price', price({ input: '-1' }), 'catalog.prices["p/m"].input', /US dollars/],
  ['an endless price', price({ input: '1', output: '1e9' }), 'catalog.prices["p/m"].output', /US dollars/],
  ['a price above a million', price({ input: '1000001' }), 'catalog.prices["p/m"].input', /US dollars/],
  ['a tier below the one before', price({ input: '1', tiers: [{ above: 9, input: '2' }, { above: 8, input: '3' }] }),
    'catalog.prices["p/m"].tiers[1].above', /more than that of the tier before it/],
  ['a second price of no date', price([{ input: '1' }, { input: '2' }]), 'catalog.prices["p/m"][1]', /has no "from"/],
  ['a default price as text', { ...CATALOG, default_price: '1' }, 'catalog.default_price', /must be an object/],
  ['a list that is not built in', provider({ price_list: 'opnai' }), 'catalog.providers["p"].price_list', /built in: anthropic, .*openai,/],
  ['a price of nobody\'s', { ...CATALOG, prices: { 'q/m': { input: '1' } } }, 'catalog.prices["q/m"]', /named provider\/model/],
  ['a list', [], 'catalog', /must be an object/],
];

test('a bad catalog is refused whole, its first wrong field is named, and the one in force stays', TIMEOUT, () =>
  changesNothing(async () => {
    for (const [what, catalog, param, words] of BAD_CATALOGS) {
      const answer = await world.admin('PUT', '/catalog', catalog);
      checkRefusal(answer, { param, words }, what);
      assert.ok(!JSON.stringify(answer.body).includes(LEAKED), `${what}: a key is not repeated`);
    }
    const stale = await world.admin('PUT', '/catalog', { ...CATALOG, version: 0 });
    checkRefusal(stale, { status: 409, code: 'catalog_changed', param: 'catalog.version' }, 'made from an old version');
  }));

test('what is no document, no path, no token or no method is refused by the admin API too', TIMEOUT, () =>
  changesNothing(async () => {
    const path = `/tenants/${tenant.id}`;
    for (const [what, method, at, body, expected] of [
      ['not JSON', 'PUT', '/catalog', '{"providers":', { code: 'invalid_json', param: null, words: /not JSON/ }],
      ['deeply nested', 'PUT', '/catalog', '['.repeat(10_000), { code: 'invalid_json', param: null }],
      ['empty', 'PUT', '/catalog', '', { code: 'invalid_json', param: null, words: /is empty/ }],
      ['a tenant without id', 'POST', '/tenants', {}, { param: 'id', words: /is missing/ }],
      ['a tenant of a bad id', 'POST', '/tenants', { id: 'A B' }, { param: 'id', words: /a-z, 0-9/ }],
      ['another tenant of this id', 'POST', '/tenants', { id: tenant.id }, { status: 409, code: 'tenant_exists', param: 'id' }],
      ['no change', 'PATCH', path, {}, { param: null }],
      ['a policy of null', 'PATCH', path, { policy: null }, { param: 'policy' }],
      ['enabled as text', 'PATCH', path, { enabled: 'no' }, { param: 'enabled', words: /true or false/ }],
      ['a misspelt field', 'PATCH', path, { polciy: {} }, { param: 'polciy', words: /is not a field here/ }],
      ['an end in the past', 'POST', `${path}/keys`, { expires_at: '2020-01-01T00:00:00Z' }, { param: 'expires_at' }],
      ['no tenant', 'PATCH', '/tenants/nobody', { enabled: true }, { status: 404, code: 'tenant_not_found', param: null }],
      ['no path', 'GET', '/nothing', undefined, { status: 404, code: 'unknown_url', param: null }],
      ['a bad page', 'GET', '/tenants?limit=-1', undefined, { code: 'invalid_parameter', param: 'limit' }],
      ['a wrong method', 'DELETE', path, undefined, { status: 405, code: 'method_not_allowed', param: null }],
    ]) checkRefusal(await world.admin(method, at, body), expected, what);
    const large = await world.admin('PUT', '/catalog', ' '.repeat(2 * 1_024 * 1_024));
    checkRefusal(large, { status: 413, code: 'request_too_large', param: null }, 'a large document');
    for (const authorization of ['', 'Bearer', 'Bearer wrong', `Bearer ${tenant.key}`, `Basic ${world.secrets.ADMIN_TOKEN}`]) {
      const answer = await world.admin('PATCH', path, { enabled: false }, { authorization });
      checkRefusal(answer, { status: 401, type: 'authentication_error', code: 'invalid_admin_token', param: null }, authorization);
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
    }
  }));
