// What the end-to-end tests share: the built gateway in workerd, a scripted provider behind it, tenants with keys, and the ledger as it
// stands on disk.
//
//   const world = await startWorld();
//   await world.catalog({ plain: 'c10', backed: ['a/c10-fail500', 'b/c10'] });   // client's name -> targets, words steer the provider
//   const tenant = await world.tenant({ limits: [...] });
//   const response = await tenant.chat({ model: 'plain', messages: HELLO });
//   const row = await world.settled(response);                                   // its row in the ledger, once it has ended
//   await world.stop();

import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { startGateway } from '../../scripts/lib/gateway.mjs';
import { startProvider } from '../provider/provider.mjs';

export { gatewayWorker } from '../../scripts/lib/gateway.mjs';

/** A call's messages. */
export const HELLO = [{ role: 'user', content: 'Hello!' }];
/** US dollars for a million tokens, of every target unless the test says otherwise: a token is a micro-dollar or two. */
export const PRICE = { input: '1', output: '2' };
/** How long anything may take that a test waits for. */
const DEADLINE_MS = 15_000;
const POLL_MS = 20;
const PROVIDERS = { a: 'PROVIDER_A_KEY', b: 'PROVIDER_B_KEY' };
const SECRETS = {
  ADMIN_TOKEN: 'the-admin-token-of-these-tests',
  API_KEYS_SECRET: 'the-signing-secret-of-these-tests',
  PROVIDER_A_KEY: 'sk-provider-a-credential-3141592653',
  PROVIDER_B_KEY: 'sk-provider-b-credential-2718281828',
};

/** Waits until `check` gives something true, and gives that. */
export async function eventually(check, what, deadline = DEADLINE_MS) {
  let last;
  for (const until = Date.now() + deadline; Date.now() < until; await new Promise((next) => setTimeout(next, POLL_MS))) {
    last = await check();
    if (last) return last;
  }
  return assert.fail(`in ${deadline} ms it never came to pass that ${what}`);
}

/** `promise`, which fails if nothing has come of it by the deadline. */
export async function inTime(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`in ${DEADLINE_MS} ms it never came to pass that ${what}`)), DEADLINE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/**
 * A gateway with a scripted provider. `secrets` are added to the usual ones (undefined takes one away), `worker` stands in for the
 * gateway as wrangler.toml describes it, or is what makes that of the provider.
 */
export async function startWorld({ secrets = {}, worker, ready } = {}) {
  const state = await mkdtemp(join(tmpdir(), 'tollgate-test-'));
  const bound = Object.fromEntries(Object.entries({ ...SECRETS, ...secrets }).filter(([, value]) => value !== undefined));
  const provider = await startProvider();
  const logs = [];
  const made = typeof worker === 'function' ? await worker(provider) : worker;
  const gateway = await startGateway({ state, secrets: bound, worker: made, ready, onLog: ({ message }) => logs.push(message) });
  return new World({ state, provider, gateway, logs, secrets: bound });
}

class World {
  #tenants = 0;

  constructor(parts) {
    Object.assign(this, parts);
    this.url = this.gateway.url;
  }

  async stop() {
    await this.gateway.stop();
    await this.provider.stop();
    await rm(this.state, { recursive: true, force: true });
  }

  /** Calls the admin API: { status, headers, body }. */
  async admin(method, path, body, headers = {}) {
    const response = await fetch(`${this.url}/admin/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${this.secrets.ADMIN_TOKEN}`, 'content-type': 'application/json', ...headers },
      body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : null };
  }

  async #must(method, path, body) {
    const answer = await this.admin(method, path, body);
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /**
   * Replaces the catalog. `models`: the client's name -> `words`, `provider/words`, a list of those, or a whole model. Providers `a` and
   * `b` are the scripted one, each with its own secret; `providers` adds to them or changes what is said of them; `more` is any other field.
   */
  catalog(models, { providers = {}, prices = { 'a/*': PRICE, 'b/*': PRICE }, ...more } = {}) {
    const target = (name) => {
      const [provider, ...words] = name.includes('/') ? name.split('/') : ['a', name];
      return { provider, model: words.join('/') };
    };
    const model = (said) => (typeof said === 'object' && !Array.isArray(said) ? said : { targets: [said].flat().map(target) });
    const scripted = ([name, secret]) => [name, {
      dialect: 'openai', base_url: `${this.provider.url}/v1`, auth: { bearer: secret }, ...providers[name] }];
    return this.#must('PUT', '/catalog', {
      providers: { ...providers, ...Object.fromEntries(Object.entries(PROVIDERS).map(scripted)) },
      models: Object.fromEntries(Object.entries(models).map(([name, said]) => [name, model(said)])),
      prices,
      ...more,
    });
  }

  /** A new tenant with one key. */
  async tenant(policy = {}) {
    this.#tenants += 1;
    const id = `t-${this.#tenants}`;
    await this.#must('POST', '/tenants', { id, policy });
    const { key } = await this.#must('POST', `/tenants/${id}/keys`, { name: 'test' });
    return new Tenant(this, id, key);
  }

  /** Every row of every tenant's ledger, as it stands on disk. */
  ledger() {
    return this.rows('SELECT * FROM calls ORDER BY at');
  }

  /** The rows that a query finds on disk in every tenant's object. */
  async rows(query) {
    const folder = join(this.state, 'v3/do');
    const files = await readdir(folder, { recursive: true }).catch(() => []);
    const rows = [];
    for (const file of files.filter((name) => name.endsWith('.sqlite') && !name.endsWith('metadata.sqlite'))) {
      const database = new DatabaseSync(join(folder, file), { readOnly: true, timeout: 5_000 });
      try {
        rows.push(...database.prepare(query).all());
      } finally {
        database.close();
      }
    }
    return rows;
  }

  /** The ledger's row of a call, by its answer or its id, once it has `state`. */
  settled(response, state = 'settled') {
    const call = typeof response === 'string' ? response : response.headers.get('x-request-id');
    const found = async () => (await this.ledger()).find((row) => row.call === call && row.state === state);
    return eventually(found, `call ${call} is ${state}`);
  }

  /** What the provider saw of a call, in order. */
  seen(response) {
    const call = typeof response === 'string' ? response : response.headers.get('x-request-id');
    return this.provider.calls().filter((one) => one.call === call);
  }
}

class Tenant {
  constructor(world, id, key) {
    Object.assign(this, { world, id, key });
  }

  headers(more = {}) {
    return { authorization: `Bearer ${this.key}`, 'content-type': 'application/json', ...more };
  }

  post(path, body, init = {}) {
    const content = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    return fetch(`${this.world.url}${path}`, { method: 'POST', body: content, ...init, headers: this.headers(init.headers) });
  }

  chat(body, init) {
    return this.post('/v1/chat/completions', typeof body === 'string' ? body : { messages: HELLO, ...body }, init);
  }

  async usage() {
    const response = await fetch(`${this.world.url}/v1/usage`, { headers: this.headers() });
    assert.equal(response.status, 200);
    return response.json();
  }

  /** One limit as the usage endpoint shows it. */
  async limit(name) {
    return (await this.usage()).limits.find((limit) => limit.name === name);
  }

  async metrics() {
    return (await this.world.admin('GET', `/tenants/${this.id}/metrics`)).body;
  }

  /** What a call could change: the sums that the tenant sees, and how many rows were written. */
  async footprint() {
    const { limits, periods } = await this.usage();
    const counts = limits.map(({ name, used, held }) => ({ name, used, held }));
    return { counts, total: periods.lifetime.total, rows: (await this.metrics()).rows_written };
  }
}

/** The events of an SSE text, `data` parsed where it is JSON: [{ event, data }]. */
export function events(text) {
  const parse = (data) => (data.startsWith('{') ? JSON.parse(data) : data);
  return text.split('\n\n').filter(Boolean).map((frame) => {
    const lines = frame.split('\n');
    const field = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? null;
    return { event: field('event'), data: parse(field('data') ?? '') };
  });
}

/** The content of a stream's chunks, put together. */
export const contentOf = (list) => list.map(({ data }) => data.choices?.[0]?.delta?.content ?? '').join('');

/** Checks that an answer is an error as OpenAI's clients read it; gives its `error`. */
export async function refusal(response, status, expected = {}) {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.match(response.headers.get('content-type'), /^application\/json/);
  assert.match(response.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/, 'x-request-id');
  const { error } = JSON.parse(text);
  for (const name of ['message', 'type', 'param', 'code']) assert.ok(name in error, `${name} is in ${text}`);
  assert.equal(typeof error.message, 'string');
  assert.ok(error.message.length > 0, 'it says something');
  for (const [name, value] of Object.entries(expected)) {
    if (value instanceof RegExp) assert.match(String(error[name]), value);
    else assert.deepEqual(error[name], value, `${name} of ${text}`);
  }
  return error;
}

/** A request by hand, for what fetch would not send: { status, headers (a Headers), text() }. `write` gets the request to fill and end. */
export function rawRequest(url, { method = 'POST', headers = {} }, write) {
  return inTime(new Promise((resolve, reject) => {
    const sent = httpRequest(url, { method, headers, agent: false }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        sent.destroy();
        const text = Buffer.concat(parts).toString();
        resolve({ status: response.statusCode, headers: new Headers(response.headers), text: async () => text });
      });
    });
    sent.on('error', reject);
    write(sent);
  }), `${method} ${url} was answered`);
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

function base62(bytes) {
  let number = BigInt(`0x${bytes.toString('hex')}`);
  let text = '';
  for (; text.length < 22; number /= 62n) text = DIGITS[Number(number % 62n)] + text;
  return text;
}

/** A key as whoever holds the signing secret could make it up. */
export function signedKey(secret, tenant, id) {
  const text = `tg_${tenant}_${id}_${base62(randomBytes(16))}${base62(randomBytes(16))}`;
  return text + base62(createHmac('sha256', secret).update(text).digest().subarray(0, 16));
}
