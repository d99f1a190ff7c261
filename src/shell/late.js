// The time of an answer, and what still comes when it is up: that is read on for its usage alone, in the background, as far as the
// platform gives time for it. What it tells, and whether that matters, is Rust's decision (late.rs).
import { drop } from "./glue.js";
import { LONG_MAX, Share, release } from "./memory.js";

// How long it is read on once its call has ended. The platform gives 30 seconds, of which the correction needs a part.
const LATE_MS = 25_000;
// So many are read on for one call: a request may wait for six heads at once.
const AT_ONCE_MAX = 3;
const PART_BYTES = 64 * 1_024;
const TIMER_MS_MAX = 2 ** 31 - 1;

// The time is up.
export class TimeUp extends Error {
  name = "TimeoutError";
}

// The time of an answer. What is waited for does not end with it: `rest` tells how it is read on, as `Latecomers.take` wants that.
export class Limit {
  rest = null;
  #abort = new AbortController();
  #due;
  #timer;
  #ring;
  #rung = new Promise((_, reject) => (this.#ring = () => reject(new TimeUp("timeout"))));

  constructor(ms) {
    this.#rung.catch(() => {});
    this.#due = Date.now() + ms;
    this.#timer = timer(this.#ring, ms);
  }

  get signal() {
    return this.#abort.signal;
  }

  // What `promise` gives in time; else TimeUp, and `rest` can be asked.
  within(promise, rest) {
    this.rest = rest;
    return Promise.race([promise, this.#rung]);
  }

  // Nothing is waited for any more.
  over() {
    clearTimeout(this.#timer);
  }

  // From now on what is still read ends with the time.
  cuts() {
    this.over();
    this.#timer = timer(() => this.abort(), this.#due - Date.now());
  }

  abort() {
    this.#abort.abort(new TimeUp("timeout"));
  }
}

const timer = (ring, ms) => setTimeout(ring, Math.min(Math.max(ms, 1), TIMER_MS_MAX));

// The steps of a body of which `reading` is the one under way: a function that gives the next.
export function steps(reading, read) {
  let first = reading;
  return () => {
    const step = first ?? read();
    first = null;
    return step;
  };
}

// The answers of one call whose time is up.
export class Latecomers {
  #context;
  #all = [];

  constructor(context) {
    this.#context = context;
  }

  // Reads an answer on: its `head`, a promise of a response, or what has come of its body (`parts`) and its `next` step. `stop`
  // ends that; at once, where there is no `answer` (late.rs) to hear it.
  take(answer, { head, parts = [], next, stop }) {
    if (answer === undefined) return stop();
    const share = new Share();
    const one = { answer, over: false, stopped: false, ended: null, stop: () => { one.stopped = true; stop(); } };
    // They are not held any longer by whoever has read them.
    for (const part of parts) {
      answer.push(part);
      release(part);
    }
    one.ended = read(answer, share, head, next)
      .catch(() => {})
      .finally(() => {
        one.over = true;
        share.end();
        one.stop();
      });
    this.#context.waitUntil(one.ended);
    this.#all.push(one);
    const open = this.#all.filter(({ stopped }) => !stopped);
    if (open.length > AT_ONCE_MAX) open[0].stop();
  }

  // Sends the `settlement` of their call with what they have told until now, and once more when they have told more of what it
  // estimates.
  settle(settlement, send) {
    if (this.#all.length === 0) return send(settlement);
    const sent = send(this.#including(settlement, false));
    const open = this.#all.filter(({ answer, over }) => !over && answer.matters(settlement));
    for (const one of this.#all) if (!open.includes(one)) one.stop();
    if (open.length > 0) this.#context.waitUntil(this.#correct(open, settlement, send));
    else this.#free();
    return sent;
  }

  async #correct(open, settlement, send) {
    let due;
    const enough = new Promise((resolve) => (due = setTimeout(resolve, LATE_MS)));
    await Promise.race([Promise.all(open.map(({ ended }) => ended)), enough]);
    clearTimeout(due);
    for (const one of open) one.stop();
    const sent = open.some(tells) ? send(this.#including(settlement, true)) : undefined;
    this.#free();
    await sent;
  }

  // The settlement with what they have told.
  #including(settlement, again) {
    return this.#all.filter(tells).reduce((text, { answer }) => answer.add_to(text, again), settlement);
  }

  #free() {
    for (const { answer, ended } of this.#all) ended.then(() => answer.free());
    this.#all = [];
  }
}

const tells = ({ answer, over }) => over && answer.told();

// Reads an answer to its end, or as far as there is room for it: what comes after that does not tell less.
async function read(answer, share, head, next) {
  let step = next;
  if (head !== undefined) {
    const response = await head;
    const { status, headers } = response;
    if (!answer.head(status, headers.get("content-type") ?? "", headers.get("content-encoding") ?? "")) return drop(response);
    const reader = response.body?.getReader();
    step = () => reader?.read() ?? { done: true };
  }
  let cut = true;
  try {
    while (cut && !answer.over() && share.hold(answer.held() + PART_BYTES, LONG_MAX)) {
      const { value, done } = await step();
      if (value?.byteLength > 0) answer.push(value);
      cut = !done;
    }
  } finally {
    answer.finish(cut);
  }
}
