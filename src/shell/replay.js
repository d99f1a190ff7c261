// The front's half of named calls (those with an Idempotency-Key): a leader publishes its answer to the tenant's object
// while it comes, a follower reads it there. What follows whom is Rust's decision (idempotency.rs).
import { END, MORE, NOT_KEPT, WAIT } from "./answers.js";
import { answer, callObject } from "./glue.js";
import { KEPT_MAX, Share, joined, release } from "./memory.js";

// So many bytes are published at once; fewer wait for others, and less long if somebody follows.
const BATCH_BYTES = 16 * 1_024;
const ALONE_MS = 1_000;
const FOLLOWED_MS = 100;
// A leader reads so far ahead of a client that is slow: it may well have sent again.
const AHEAD_BYTES = 8 * 1_024 * 1_024;
// What a follower is given at once: where more has come and there is room for it, and else.
const MUCH_BYTES = 256 * 1_024;
const LITTLE_BYTES = 16 * 1_024;
const TRIES = 3;

// A leader's answer on its way to the tenant's object. It never delays the leader's own client. One for which there is no room is
// not kept.
export class Publication {
  #namespace;
  #tenant;
  #leader;
  #head = null;
  #later = null;
  #parts = [];
  #size = 0;
  #have = 0;
  #held = new Share(() => this.lose());
  #ahead = new Share();
  #lost = false;
  #stopped = false;
  #last = null;
  #pace = ALONE_MS;
  #timer = null;
  #heartbeat;
  #saying = null;
  #over = null;

  constructor(namespace, tenant, text) {
    const { heard_within: silence, ...leader } = JSON.parse(text);
    this.#namespace = namespace;
    this.#tenant = tenant;
    this.#leader = leader;
    this.#heartbeat = setInterval(() => this.#send(), silence / 3);
  }

  // What relayStream needs to publish a stream, too.
  stream(status, headers) {
    this.#head = `${status}\n${headers}`;
    const mayWait = (bytes) => this.#ahead.hold(bytes, KEPT_MAX);
    return { tap: (bytes) => this.#add(bytes), ahead: AHEAD_BYTES, mayWait };
  }

  // What takes a whole answer that passes as it comes: nobody is shown it before its end.
  later(status, headers) {
    this.#later = `${status}\n${headers}`;
    return (bytes) => this.#add(bytes);
  }

  // Publishes a whole answer: the bytes of it, for the client.
  whole(status, headers, content, last) {
    this.#head = `${status}\n${headers}`;
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    this.#add(bytes);
    this.end(last);
    return bytes;
  }

  // Ends the answer: "kept" if it was billed, "failed" if nobody was. Resolves when that is said, or cannot be.
  end(last) {
    this.#head ??= this.#later;
    this.#last = last;
    clearInterval(this.#heartbeat);
    this.#over = this.#ended();
    return this.#over;
  }

  over() {
    return this.#over;
  }

  #add(bytes) {
    if (this.#lost || this.#stopped) return;
    if (!this.#held.take(bytes.byteLength, KEPT_MAX)) return this.lose();
    this.#size += bytes.byteLength;
    this.#parts.push(bytes);
    if (this.#size - this.#have >= BATCH_BYTES) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), this.#pace);
  }

  // The answer is not kept.
  lose() {
    this.#lost = true;
    this.#drop();
  }

  #drop() {
    this.#held.give();
    this.#size = 0;
    this.#have = 0;
    this.#parts = [];
  }

  // Says what is new, or that the leader lives; one thing at a time.
  #send() {
    this.#held.keep();
    if (this.#saying !== null || this.#last !== null || this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    const said = this.#say().catch((error) => console.warn(`an answer could not be published just now: ${error?.message}`));
    this.#saying = said.then(() => {
      this.#saying = null;
      if (this.#size > this.#have) this.#timer ??= setTimeout(() => this.#send(), this.#pace);
    });
  }

  async #say() {
    const said = { ...this.#leader, from: this.#have, head: this.#head, last: this.#last, lost: this.#lost };
    const bytes = this.#lost ? new Uint8Array() : joined(this.#unsaid(), this.#size - this.#have);
    const told = callObject(this.#namespace, this.#tenant, "publish", JSON.stringify(said), bytes);
    const { stop, have, full, followed } = await told.finally(() => release(bytes));
    this.#stopped = stop;
    if (stop) return;
    this.#pace = followed ? FOLLOWED_MS : ALONE_MS;
    if (full && !this.#lost) this.lose();
    if (!this.#lost) this.#have = Math.min(have, this.#size);
  }

  #unsaid() {
    let at = -this.#have;
    const parts = [];
    for (const part of this.#parts) {
      if (at + part.byteLength > 0) parts.push(at < 0 ? part.subarray(-at) : part);
      at += part.byteLength;
    }
    return parts;
  }

  async #ended() {
    clearTimeout(this.#timer);
    try {
      await this.#saying;
      for (let tried = 0; tried < TRIES && !this.#stopped; tried++) {
        await this.#say();
        if (this.#lost || this.#have === this.#size) break;
      }
    } catch (error) {
      console.error(`an answer could not be published, and is not kept: ${error?.message}`);
    }
    this.#stopped = true;
    this.#drop();
  }
}

// Answers a call that follows another with that one's answer, as it comes; null: visit has to say why not.
export async function follow(visit, env) {
  const text = visit.following();
  if (text === undefined) return null;
  const tenant = visit.tenant();
  const share = new Share();
  const next = async (from) => {
    for (;;) {
      const most = from > 0 && share.hold(MUCH_BYTES, KEPT_MAX) ? MUCH_BYTES : LITTLE_BYTES;
      const step = await callObject(env.TENANTS, tenant, "follow", text, from, most);
      if (step.state === WAIT) continue;
      share.hold(step.bytes?.byteLength ?? 0, Infinity);
      return step;
    }
  };
  let step;
  try {
    step = await next(-1);
  } catch (error) {
    visit.undecided(String(error?.message));
    return null;
  }
  if (step.state !== MORE && step.state !== END) {
    visit.unfollowed(step.state === NOT_KEPT);
    return null;
  }
  visit.followed(step.head);
  const body = step.state === END ? step.bytes : rest(step, next, visit.lost_event(), share);
  if (step.state === END) share.end();
  const response = answer(visit.status(), visit.headers(), body);
  visit.free();
  return response;
}

// The bytes of an answer from its first step on; `lost` is the end of one whose own end never comes; `share` is what is held of it.
function rest(first, next, lost, share) {
  let step = first;
  let from = 0;
  const close = (controller) => {
    share.end();
    controller.close();
  };
  return new ReadableStream(
    {
      async pull(controller) {
        for (let given = false; !given; step = null) {
          step ??= await next(from).catch(() => ({}));
          const { state, bytes } = step;
          if (state !== MORE && state !== END) {
            share.end();
            if (lost === "") throw new Error("the answer that was followed is lost");
            controller.enqueue(new TextEncoder().encode(lost));
            return close(controller);
          }
          from += bytes.byteLength;
          given = bytes.byteLength > 0;
          if (given) controller.enqueue(bytes);
          if (state === END) return close(controller);
        }
      },
      cancel: () => share.end(),
    },
    { highWaterMark: 0 },
  );
}
