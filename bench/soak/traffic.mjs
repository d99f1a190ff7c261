// The soak's traffic: so many connections, each sending one call after the other, what it is and what becomes of it drawn from a seed.

import { Agent, request } from 'node:http';
import { randomOf } from '../../tests/workerd/bills/jobs.mjs';

const UNANSWERED_MS = 60_000;

/** What clients ask for: the provider's words, how often in 1,000 calls, and the statuses that the words explain. `!` marks a target of two. */
export const KINDS = {
  whole: { words: ['c8-i20-k5'], weight: 380, statuses: [200] },
  stream: { words: ['c30-i40'], weight: 260, statuses: [200], stream: true },
  slow: { words: ['c20-d20'], weight: 60, statuses: [200], stream: true },
  left: { words: ['c40-d10-left'], weight: 60, statuses: [200], stream: true, leaves: 20 },
  backed: { words: ['flaky30-primary', 'c8-backup'], weight: 60, statuses: [200] },
  cut: { words: ['c20-cut7'], weight: 40, statuses: [200], stream: true },
  'cut-whole': { words: ['c8-cut0'], weight: 20, statuses: [502] },
  badjson: { words: ['badjson'], weight: 20, statuses: [502] },
  untold: { words: ['c9-nousage'], weight: 40, statuses: [200], stream: true },
  failing: { words: ['fail500'], weight: 30, statuses: [500] },
  busy: { words: ['fail429-ra1'], weight: 17, statuses: [429] },
  hanging: { words: ['hang'], weight: 10, statuses: [504], provider: 'hasty' },
  // Its client leaves when nothing has come for a while; the lease ends what it holds.
  silent: { words: ['c9-stall3'], weight: 3, statuses: [200], stream: true, leaves: 3 },
};

/** The catalog of these kinds, their provider at `url`. */
export function catalogOf(url) {
  const provider = { dialect: 'openai', base_url: `${url}/v1` };
  const target = (kind) => (model) => ({ provider: kind.provider ?? 'scripted', model });
  return {
    providers: { scripted: provider, hasty: { ...provider, timeout: '2s' } },
    models: Object.fromEntries(Object.entries(KINDS).map(([name, kind]) => [name, { targets: kind.words.map(target(kind)) }])),
    prices: { 'scripted/*': { input: '0.15', output: '0.60', cached_input: '0.075' }, 'hasty/*': { input: '1', output: '2' } },
  };
}

export class Traffic {
  #url;
  #callers;
  #agent;
  #random;
  #wheel = Object.entries(KINDS).flatMap(([name, { weight }]) => Array(weight).fill(name));
  #stopped = false;
  answered = 0;
  statuses = {};
  /** Answers that nothing explains: how often, by what they were. */
  odd = {};

  /** `callers` gives whom the next call is from: { key, mayBe: statuses that are in order besides the kind's }. */
  constructor(url, callers, { seed, connections }) {
    this.#url = `${url}/v1/chat/completions`;
    this.#callers = callers;
    this.#random = randomOf(seed);
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, noDelay: true });
    this.ended = Promise.all(Array.from({ length: connections }, () => this.#client()));
  }

  /** Sends no more calls; resolves when those under way are answered. */
  async stop() {
    this.#stopped = true;
    await this.ended;
    this.#agent.destroy();
  }

  async #client() {
    while (!this.#stopped) {
      const name = this.#wheel[this.#random(this.#wheel.length)];
      const caller = this.#callers(this.#random);
      const { status, broke } = await this.#call(name, caller);
      this.answered += 1;
      this.statuses[status] = (this.statuses[status] ?? 0) + 1;
      const isExplained = KINDS[name].statuses.includes(status) || caller.mayBe.includes(status);
      if (broke || !isExplained) {
        const what = `${name}: ${broke ?? status}`;
        this.odd[what] = (this.odd[what] ?? 0) + 1;
      }
    }
  }

  #call(name, { key }) {
    const { stream = false, leaves = 0 } = KINDS[name];
    const content = 'x'.repeat(this.#random(400));
    const body = JSON.stringify({ model: name, stream, max_tokens: 100, messages: [{ role: 'user', content }] });
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const leaveAfter = leaves > 0 ? 1 + this.#random(leaves) : Infinity;
    return new Promise((resolve) => {
      const sent = request(this.#url, { method: 'POST', agent: this.#agent, headers }, (response) => {
        let pieces = 0;
        let left = false;
        response.on('data', (part) => {
          pieces += part.toString('latin1').split('"content":"').length - 1;
          if (pieces < leaveAfter) return;
          left = true;
          sent.destroy();
        });
        response.on('error', () => {}); // its close is what counts
        response.on('close', () => resolve({ status: response.statusCode, broke: response.complete || left ? null : 'broke off' }));
      });
      sent.setTimeout(UNANSWERED_MS, () => sent.destroy(new Error('unanswered')));
      sent.on('error', (error) => resolve({ status: 0, broke: error.code ?? error.message }));
      sent.end(body);
    });
  }
}
