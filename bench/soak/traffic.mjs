// The soak's traffic: so many connections, each sending one call after the other, what it is and what becomes of it drawn from a seed.

import { Agent } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { randomOf } from '../../tests/workerd/bills/jobs.mjs';
import { send } from './client.mjs';
import { KINDS, callOf } from './kinds.mjs';

/** Of a hundred calls so many are left at any time, before there is an answer too: within so many ms. */
const TORN = 3;
const TORN_MS = 400;
const LOOKS = 5; // at a run: it has ended by then, and is looked at once more
const LOOK_PAUSE_MS = 150;
/** How long a connection is kept for another call: workerd closes one after some seconds, and a call that is sent just then is lost. */
const IDLE_MS = 2_000;
/** A late look comes when the lease of its run is over. */
const LATE_MS = 26_000;

export class Traffic {
  #url;
  #callers;
  #agent;
  #random;
  #wheel = Object.entries(KINDS).flatMap(([name, { weight }]) => Array(weight).fill(name));
  #stopped = false;
  #later = new Set();
  answered = 0;
  statuses = {};
  kinds = {};
  /** Answers that nothing explains: how often, by what they were; and the first of each. */
  odd = {};
  samples = {};
  /** How many left, or broke off, before they knew their name. */
  nameless = 0;
  /** Answers with a 500 that no provider said. */
  fives = 0;

  /** `callers` gives whom the next call is from: { key, mayBe: statuses that are in order besides the kind's, seen: whom to tell what came of it }. */
  constructor(url, callers, { seed, connections }) {
    this.#url = url;
    this.#callers = callers;
    this.#random = randomOf(seed);
    this.#agent = new Agent({ keepAlive: true, noDelay: true, timeout: IDLE_MS });
    this.ended = Promise.all(Array.from({ length: connections }, () => this.#client()));
  }

  /** Sends no more calls; resolves when those under way are answered, and what takes longer is over. */
  async stop() {
    this.#stopped = true;
    await this.ended;
    await Promise.all(this.#later);
    this.#agent.destroy();
  }

  async #client() {
    while (!this.#stopped) {
      const name = this.#wheel[this.#random(this.#wheel.length)];
      const caller = this.#callers(this.#random);
      const call = callOf(name, this.#random);
      const times = 1 + (KINDS[name].followers ? this.#random(KINDS[name].followers) : 0);
      const sent = Promise.all(Array.from({ length: times }, () => this.#call(name, caller, call, this.#manner(name))));
      if (KINDS[name].detached) this.#track(sent);
      const all = KINDS[name].detached ? [] : await sent;
      if (KINDS[name].dialect === 'background') await this.#follow(name, caller, all[0]);
    }
  }

  #manner(name) {
    const { leaves, pace, stops, dialect } = KINDS[name];
    const torn = this.#random(100) < TORN ? { torn: this.#random(TORN_MS) } : {};
    if (leaves === undefined) return { pace, stops, ...torn };
    return dialect === 'native' ? { anything: true } : { leaves: 1 + this.#random(leaves), ...torn };
  }

  async #call(name, caller, call, manner) {
    const headers = { authorization: `Bearer ${caller.key}`, ...call.headers };
    const seen = await send(this.#agent, this.#url, { ...call, headers }, manner);
    this.answered += 1;
    this.statuses[seen.status] = (this.statuses[seen.status] ?? 0) + 1;
    this.kinds[name] = (this.kinds[name] ?? 0) + 1;
    if (seen.status === 500 && !KINDS[name].statuses.includes(500)) this.fives += 1;
    if (!isExplained(KINDS[name], caller, seen)) {
      const what = `${name}: ${seen.broke ?? seen.status} ${seen.code ?? ''}`.trim();
      this.odd[what] = (this.odd[what] ?? 0) + 1;
      this.samples[what] ??= `${seen.call ?? 'no name'}: ${seen.text.slice(0, 300)}`;
    }
    if (seen.call === null) this.nameless += 1;
    caller.seen.saw(name, seen);
    return seen;
  }

  /** Looks at a run, if its kind does, until it has ended and once more. */
  async #follow(name, caller, { status, text }) {
    const { looks } = KINDS[name];
    const id = /"id":"(resp_\d+)"/.exec(text)?.[1];
    if (status !== 200 || id === undefined || looks === 'never') return undefined;
    if (looks === 'now') return this.#looks(caller, id);
    this.#track(pause(LATE_MS).then(() => this.#looks(caller, id)));
    return undefined;
  }

  #track(work) {
    const tracked = work.finally(() => this.#later.delete(tracked));
    this.#later.add(tracked);
  }

  async #looks(caller, id) {
    const call = { method: 'GET', path: `/v1/responses/${id}`, headers: { 'x-tollgate-provider': 'edges' } };
    for (let nth = 0; nth < LOOKS; nth += 1) {
      await this.#call('look', caller, call, {});
      await pause(LOOK_PAUSE_MS);
    }
  }
}

/** Whether the script explains an answer. */
function isExplained(kind, caller, { status, code, broke, left }) {
  if (left && status === 0) return true;
  if (broke !== null && !kind.breaks) return false;
  if (status === 503 && code === 'gateway_overloaded') return kind.overloaded === true;
  return kind.statuses.includes(status) || caller.mayBe.includes(status);
}
