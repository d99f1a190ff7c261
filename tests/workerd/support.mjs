// What the end-to-end tests share: the built gateway on real workerd in front of the scripted provider, tenants made through the
// admin API, bursts, a gate that holds the provider's answers back, and each tenant's ledger as it lies on disk.
//
//   const world = await startWorld({ models: { chat: 'c3-i9' }, gated: { slow: 'c3-i9' } });   // client's name: provider's words
//   const tenant = await world.tenant('acme', { limits: [] });
//   await chat(world, tenant.key, { model: 'chat' });
//   tenant.calls()          the ledger's rows;  world.gate.hold(), .pass(2), .release()
//   await world.stop();

import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { startGateway } from '../../scripts/lib/gateway.mjs';
import { startProvider } from '../provider/provider.mjs';

export const SECRETS = { ADMIN_TOKEN: 'the admin token of the tests', API_KEYS_SECRET: 'the signing secret of the tests' };
/** In nano-USD for one token; the catalog says the same in dollars for a million. */
export const NANO = { input: 1_000, output: 3_000 };
const PRICE = { input: '1', output: '3' };
const POLL_MS = 20;
const PATIENCE_MS = 30_000;

/** Waits for what `probe` gives once it is truthy; `what` says what was waited for in vain. */
export async function eventually(what, probe, patience = PATIENCE_MS) {
  for (const until = Date.now() + patience; ;) {
    const got = await probe();
    if (got) return got;
    if (Date.now() > until) throw new Error(`in vain: ${what}`);
    await pause(POLL_MS);
  }
}

/** What `promise` gives, if it comes while there is patience; `state` tells what there was instead. */
export async function inTime(what, promise, state = () => '', patience = PATIENCE_MS) {
  const waited = new AbortController();
  const late = pause(patience, undefined, { signal: waited.signal }).then(() => {
    throw new Error(`in vain: ${what} ${state()}`);
  });
  return Promise.race([promise, late]).finally(() => {
    waited.abort();
    late.catch(() => {});
  });
}

/**
 * `models` are answered by the provider at once, `gated` ones through the gate; both map what clients say to the provider's words.
 * `gateway`: startGateway's options, or what makes them of the provider. `provider`: startProvider's options.
 */
export async function startWorld({ models = {}, gated = {}, gateway = {}, provider = {} } = {}) {
  const world = new World();
  world.state = await mkdtemp(join(tmpdir(), 'tollgate-e2e-'));
  world.provider = await startProvider(provider);
  world.gate = await startGate(world.provider.port);
  await world.start(typeof gateway === 'function' ? await gateway(world.provider) : gateway);
  const targets = (name, words) => Object.entries(words).map(([client, model]) => [client, { targets: [{ provider: name, model }] }]);
  await world.admin('PUT', '/catalog', {
    providers: {
      scripted: { dialect: 'openai', base_url: `${world.provider.url}/v1` },
      gated: { dialect: 'openai', base_url: `http://127.0.0.1:${world.gate.port}/v1` },
    },
    models: Object.fromEntries([...targets('scripted', models), ...targets('gated', gated)]),
    prices: { 'scripted/*': PRICE, 'gated/*': PRICE },
  });
  return world;
}

class World {
  logs = [];

  /** Starts the gateway on the state there is; `options` are startGateway's. */
  async start(options = {}) {
    const onLog = ({ message }) => this.logs.push(message);
    this.gateway = await startGateway({ state: this.state, secrets: SECRETS, onLog, ...options });
  }

  get url() {
    return this.gateway.url;
  }

  async restart(options = {}) {
    await this.gateway.stop();
    await this.start(options);
  }

  /** Waits until the provider has seen `count` calls. */
  reached(count) {
    const seen = this.provider.until((calls) => calls.length >= count);
    return inTime(`the provider sees ${count} calls`, seen, () => `(it saw ${this.provider.calls().length})`);
  }

  /** An admin call; throws unless it succeeds. */
  async admin(method, path, body) {
    const response = await fetch(`${this.url}/admin/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${SECRETS.ADMIN_TOKEN}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status} ${text}`);
    return text === '' ? null : JSON.parse(text);
  }

  /** A new tenant with one key. */
  async tenant(id, policy = {}) {
    await this.admin('POST', '/tenants', { id, policy });
    const tenant = new Tenant(this, id);
    Object.assign(tenant, await tenant.newKey());
    return tenant;
  }

  /** The object's eviction from memory; what it stored stays. */
  evict(tenant) {
    return this.gateway.miniflare.unsafeEvictDurableObject('tollgate', 'TenantObject', { name: tenant.id });
  }

  async stop() {
    await this.gateway.stop();
    await this.gate.stop();
    await this.provider.stop();
    await rm(this.state, { recursive: true, force: true });
  }
}

class Tenant {
  #file = null;

  constructor(world, id) {
    this.world = world;
    this.id = id;
  }

  async newKey(body = {}) {
    const { key, id } = await this.world.admin('POST', `/tenants/${this.id}/keys`, body);
    return { key, keyId: id };
  }

  metrics() {
    return this.world.admin('GET', `/tenants/${this.id}/metrics`);
  }

  /** What GET /v1/usage says; `limits` by name. */
  async usage(key = this.key) {
    const response = await fetch(`${this.world.url}/v1/usage`, { headers: { authorization: `Bearer ${key}` } });
    if (response.status !== 200) throw new Error(`usage was answered with ${response.status} ${await response.text()}`);
    const document = await response.json();
    return { ...document, limits: Object.fromEntries(document.limits.map((limit) => [limit.name, limit])) };
  }

  /** The rows that a statement gives, read from the object's file on disk. */
  rows(statement) {
    this.#file ??= fileOf(this.world.state, this.id);
    return query(this.#file, statement);
  }

  /** Lets `work` change the object's file, while the gateway is stopped. */
  async rewrite(work) {
    await this.world.gateway.stop();
    this.#file ??= fileOf(this.world.state, this.id);
    const database = new DatabaseSync(this.#file);
    try {
      work(database);
    } finally {
      database.close();
    }
    await this.world.start();
  }

  /** The ledger, oldest call first. */
  calls() {
    return this.rows('SELECT * FROM calls ORDER BY at');
  }

  /** The ledger once no call in it is open. Asks nothing of the gateway, so that nobody but the object itself ends calls. */
  settled(count) {
    const rests = () => {
      const calls = this.calls();
      return (count === undefined || calls.length === count) && calls.every(({ state }) => state !== 'open') && calls;
    };
    return eventually(`every call of ${this.id} has ended${count === undefined ? '' : ` and there are ${count}`}`, rests);
  }
}

function query(file, statement) {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    database.exec('PRAGMA busy_timeout = 5000');
    return database.prepare(statement).all();
  } finally {
    database.close();
  }
}

function fileOf(state, tenant) {
  const folder = join(state, 'v3/do/tollgate-TenantObject');
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.sqlite') && name !== 'metadata.sqlite') : [];
  const isIts = (file) => query(file, "SELECT value ->> 'id' AS id FROM facts WHERE name = 'tenant'")[0]?.id === tenant;
  const file = files.map((name) => join(folder, name)).find(isIts);
  if (!file) throw new Error(`no file in ${folder} is ${tenant}'s`);
  return file;
}

/** What ledger rows add up to, in the words of GET /v1/usage; the cost in nano-USD. */
export function sumOf(calls) {
  const sum = (name) => calls.reduce((total, call) => total + call[name], 0);
  return { calls: calls.length, input_tokens: sum('input'), output_tokens: sum('output'), cost: sum('cost') };
}

export const nanoOf = (dollars) => Math.round(Number(dollars) * 1e9);
export const dollarsOf = (nano) => (nano / 1e9).toFixed(9);

// ---- calls ------------------------------------------------------------------------------------------------------------------

const HI = [{ role: 'user', content: 'hi' }];

export const bodyOf = (more) => JSON.stringify({ messages: HI, max_tokens: 20, ...more });

/** One call to /v1/chat/completions. */
export function chat(world, key, more = {}, headers = { authorization: `Bearer ${key}` }) {
  return fetch(`${world.url}/v1/chat/completions`, {
    method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: bodyOf(more),
  });
}

/** A refusal's status and code, once its body is read. */
export async function refusal(response) {
  const { error } = await response.json();
  return { status: response.status, code: error?.code, message: error?.message, retry: response.headers.get('x-should-retry') };
}

/**
 * Opens `count` connections, then sends one call on each at once. `statuses` counts the answers' heads as they come;
 * `until(holds)` resolves when it holds of them.
 */
export async function burst(world, key, count, more) {
  const { hostname, port } = new URL(world.url);
  const body = bodyOf(more);
  const bytes = Buffer.from(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${key}\r\n` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  const sockets = await Promise.all(Array.from({ length: count }, () => dial(hostname, Number(port))));
  const statuses = {};
  const waiting = new Set();
  const answered = (name) => {
    statuses[name] = (statuses[name] ?? 0) + 1;
    for (const check of waiting) check();
  };
  for (const socket of sockets) {
    let head = '';
    const closed = () => answered('closed');
    socket.on('data', (data) => {
      if (head === null) return;
      head += data.latin1Slice();
      if (head.length < 12) return;
      socket.off('close', closed);
      answered(head.slice(9, 12));
      head = null;
    });
    socket.on('close', closed);
    socket.write(bytes);
  }
  const until = (holds) => inTime('the burst is answered', new Promise((resolve) => {
    const check = () => {
      if (!holds(statuses)) return;
      waiting.delete(check);
      resolve({ ...statuses });
    };
    waiting.add(check);
    check();
  }), () => JSON.stringify(statuses));
  const all = () => until((seen) => Object.values(seen).reduce((sum, number) => sum + number, 0) === count);
  return { until, all, end: () => sockets.forEach((socket) => socket.destroy()) };
}

function dial(host, port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true }, () => {
      socket.off('error', reject);
      socket.on('error', () => {}); // its close is what counts
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

// ---- the gate ---------------------------------------------------------------------------------------------------------------

const EVENT_END = Buffer.from('\n\n\r\n');

/**
 * A wire between the gateway and the provider whose answers can be held. `hold()`: nothing more comes back; `pass(n)`: only the next
 * n events of streams do; `release()`: all does, as at the beginning.
 */
async function startGate(to) {
  let allowed = Infinity;
  const wires = new Set();
  const flow = () => wires.forEach((wire) => wire());
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host: '127.0.0.1', port: to, noDelay: true });
    let held = Buffer.alloc(0);
    const wire = () => {
      while (allowed > 0 && held.length > 0) {
        const end = allowed === Infinity ? held.length : held.indexOf(EVENT_END) + EVENT_END.length;
        if (end < EVENT_END.length) return;
        near.write(held.subarray(0, end));
        held = held.subarray(end);
        allowed -= 1;
      }
    };
    wires.add(wire);
    near.pipe(far);
    far.on('data', (data) => {
      held = Buffer.concat([held, data]);
      wire();
    });
    const end = () => {
      wires.delete(wire);
      near.destroy();
      far.destroy();
    };
    for (const side of [near, far]) side.on('error', end).on('close', end);
  });
  const sockets = new Set();
  server.on('connection', (socket) => sockets.add(socket) && socket.on('close', () => sockets.delete(socket)));
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', 4_096, resolve));
  const allow = (events) => {
    allowed = events;
    flow();
  };
  return {
    port: server.address().port,
    hold: () => allow(0),
    pass: allow,
    release: () => allow(Infinity),
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      sockets.forEach((socket) => socket.destroy());
    }),
  };
}
