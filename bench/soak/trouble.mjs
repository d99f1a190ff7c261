// What befalls a tenant while it is used: its object is evicted, its policy is edited, keys come and go.

import { setTimeout as pause } from 'node:timers/promises';

const LEASE = '5s';
const PASSED = ['edges/*'];
const LIMITS = [
  { name: 'rate', what: 'requests', per: 'key', window: '10s', max: 1e9 },
  { name: 'tokens', what: 'tokens', per: 'tenant', window: '60s', max: 1e12 },
  { name: 'output', what: 'output_tokens', per: 'tenant', window: 'day', max: 1e12 },
  { name: 'cost', what: 'cost', per: 'tenant', window: 'lifetime', max: '1000000' },
  { name: 'at-once', what: 'concurrency', per: 'tenant', max: 10_000 },
];

/** A policy that refuses nothing. */
export const ROOMY = { lease: LEASE, limits: LIMITS, passthrough: PASSED };
/** The same with a lease that slow answers live in. */
export const STEADY = { ...ROOMY, lease: '20s' };

const DRAINING = { ...ROOMY, on_disconnect: 'drain' };
const withMax = (name, max) => ({ ...ROOMY, limits: LIMITS.map((limit) => (limit.name === name ? { ...limit, max } : limit)) });
/** What the policy is edited to, one after the other; calls are refused meanwhile. */
const EDITS = [
  withMax('rate', 20), ROOMY, withMax('tokens', 1_000), DRAINING, withMax('at-once', 2), ROOMY, withMax('cost', '0.001'), DRAINING,
  { ...ROOMY, limits: [] }, ROOMY, withMax('output', 10_000), DRAINING,
];

/** So many edits fill the heap of the D1 simulator's isolate: measured with a bare Worker, it grows by some 100 kB an edit up to about there. */
export const WARMING_EDITS = 4_000;

/**
 * Edits the policy of `tenant` until the local D1 simulator has grown to its full size. It is an isolate of its own in workerd whose
 * garbage V8 lets pile up to some 300 MB, whatever Worker asks it: memory that grows before is not the gateway's.
 */
export async function warm(world, tenant, edits) {
  for (let nth = 0; nth < edits; nth += 1) {
    await world.admin('PATCH', `/tenants/${tenant.id}`, { policy: EDITS[nth % EDITS.length] });
  }
  await world.admin('PATCH', `/tenants/${tenant.id}`, { policy: ROOMY });
}

/** Besets `tenant` until told to stop; `tally` counts what was done. */
export class Trouble {
  #world;
  #tenant;
  #ends = new AbortController();
  tally = { edits: 0, evictions: 0, 'evictions in vain': 0, 'keys revoked': 0 };
  /** The key that will be revoked next; null while there is none. */
  spare = null;

  constructor(world, tenant) {
    this.#world = world;
    this.#tenant = tenant;
    this.ended = Promise.all([this.#every(2_000, this.#edit), this.#every(7_000, this.#evict), this.#every(5_000, this.#renew)]);
    this.ended.catch(() => {}); // stop() tells
  }

  async stop() {
    this.#ends.abort();
    await this.ended;
    await this.#patch(ROOMY);
  }

  async #every(ms, act) {
    for (let nth = 0; !this.#ends.signal.aborted; nth += 1) {
      await pause(ms, undefined, { signal: this.#ends.signal }).catch(() => {});
      if (!this.#ends.signal.aborted) await act.call(this, nth);
    }
  }

  #patch(policy) {
    return this.#world.admin('PATCH', `/tenants/${this.#tenant.id}`, { policy });
  }

  async #edit(nth) {
    await this.#patch(EDITS[nth % EDITS.length]);
    this.tally.edits += 1;
  }

  /** An object that is in use for too long, by answers that are read slowly, cannot be evicted: the next time it may. */
  async #evict() {
    const evicted = await this.#world.evict(this.#tenant).then(() => true, (error) => {
      if (/active references/.test(error.message)) return false;
      throw error;
    });
    this.tally[evicted ? 'evictions' : 'evictions in vain'] += 1;
  }

  /** Revokes the spare key amid its calls, and issues another. */
  async #renew() {
    const old = this.spare;
    this.spare = await this.#tenant.newKey({ name: 'spare' });
    if (old === null) return;
    await this.#world.admin('DELETE', `/tenants/${this.#tenant.id}/keys/${old.keyId}`);
    this.tally['keys revoked'] += 1;
  }
}
