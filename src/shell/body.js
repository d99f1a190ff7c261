// A call's body on its way in and out. A long one is read into the Rust memory, held there once, and sent from there in parts. What
// it may have and what is said of one that is not read is Rust's decision (body.rs); the numbers below are known there.
import { callObject, watchdog } from "./glue.js";
import { HELD_MAX, LONG_MAX } from "./memory.js";
import { heardOut, speak } from "./whole.js";

const TOO_LARGE = 0;
export const TOO_SLOW = 1, NO_ROOM = 2, BROKEN = 3;
// A body up to this comes at once, and is not worth counting. A longer one comes in parts.
const SHORT_BYTES = 8 * 1_024;
const PART_BYTES = 64 * 1_024;
// Up to this it is read before anybody is asked about its key.
export const UNASKED_BYTES = 64 * 1_024;
// How long a body may take, and a part of it; and how long it waits for room before.
export const BODY_MS = 180_000;
export const PART_MS = 15_000;
export const ROOM_MS = 10_000;

// Reads the body of a request: nothing if it is in order, else visit says why, and this is the client's answer. `share` is what is
// held of it.
export async function readBody(visit, request, env, context, share) {
  const said = request.headers.get("content-length");
  const length = said === null ? null : Number(said);
  if (request.body === null || (length !== null && length <= SHORT_BYTES)) {
    const bytes = await inTime(request.arrayBuffer(), PART_MS);
    const good = typeof bytes === "number" ? unread(visit, bytes) : visit.read(new Uint8Array(bytes));
    return good ? null : speak(visit, context);
  }
  const body = new Incoming(visit, share, length, () => mayGoOn(visit, env));
  const reader = request.body.getReader({ mode: "byob" });
  if (await body.read(reader)) return visit.taken() ? null : speak(visit, context);
  share.give();
  reader.releaseLock();
  return heardOut(speak(visit, context), request.body, context);
}

// What is `coming`, or why it does not come.
function inTime(coming, ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(TOO_SLOW), ms);
    const over = (what) => {
      clearTimeout(timer);
      resolve(what);
    };
    coming.then(over, () => over(BROKEN));
  });
}

function unread(visit, why) {
  visit.unread(why);
  return false;
}

// Whether the key is one whose long body is to be read: the tenant's object knows.
export async function mayGoOn(visit, env) {
  try {
    return visit.checked(await callObject(env.TENANTS, visit.tenant(), "check", visit.look_text()));
  } catch (error) {
    // An object of the release before cannot be asked. It decides when the body has come.
    if (/does not implement/.test(error?.message)) return true;
    visit.undecided(String(error?.message));
    return false;
  }
}

// A body that comes in parts.
class Incoming {
  #visit;
  #share;
  #length;
  #ask;
  #size = 0;
  #room = 0;
  #asked = false;

  // `length`: how many bytes it has, or null; `ask`: whether it may be a long one.
  constructor(visit, share, length, ask) {
    this.#visit = visit;
    this.#share = share;
    this.#length = length;
    this.#ask = ask;
  }

  // Whether all of it is there.
  async read(reader) {
    if (!(await this.#makeRoom(this.#length ?? PART_BYTES))) return false;
    const max = this.#visit.body_max();
    const until = Date.now() + BODY_MS;
    const watch = watchdog(PART_MS, () => reader.cancel().catch(() => {}));
    let buffer = new ArrayBuffer(Math.min(PART_BYTES, this.#room));
    try {
      for (let done = false; !done && this.#size !== this.#length; ) {
        watch.listen(true);
        // The byte too many is not waited for with others.
        const least = Math.min(buffer.byteLength, max + 1 - this.#size);
        const step = await reader.readAtLeast(least, new Uint8Array(buffer));
        watch.listen(false);
        if (Date.now() > until) return unread(this.#visit, TOO_SLOW);
        done = step.done;
        if (step.value === undefined) continue;
        if (!(await this.#makeRoom(this.#size + step.value.byteLength))) return false;
        this.#visit.take(step.value);
        this.#size += step.value.byteLength;
        buffer = step.value.buffer;
      }
      return true;
    } catch {
      return unread(this.#visit, watch.barked ? TOO_SLOW : BROKEN);
    } finally {
      watch.stop();
    }
  }

  // Makes room for so many bytes in all, twice as many as before where it is not known how many still come.
  async #makeRoom(bytes) {
    if (bytes <= this.#room) return true;
    const max = this.#visit.body_max();
    if (bytes > max) return unread(this.#visit, TOO_LARGE);
    if (bytes > UNASKED_BYTES && !this.#asked) {
      this.#asked = true;
      if (!(await this.#ask())) return false;
    }
    const room = this.#length ?? Math.min(max, Math.max(bytes, 2 * this.#room));
    const buffer = Math.min(PART_BYTES, room);
    const found = await this.#share.wait(room + buffer, room > UNASKED_BYTES ? LONG_MAX : HELD_MAX, ROOM_MS);
    if (!found || !this.#visit.expect(room)) return unread(this.#visit, NO_ROOM);
    this.#share.give(room + buffer);
    this.#room = room;
    return true;
  }
}

// The body that the target is sent: a long one goes out in parts, straight from the Rust memory. `stop` ends that.
export function outgoingBody(visit, share) {
  if (share.bytes <= UNASKED_BYTES + PART_BYTES) return { content: visit.outgoing_body(), stop: () => {} };
  const length = visit.outgoing_length();
  const { readable, writable } = new FixedLengthStream(length);
  const writer = writable.getWriter();
  let over = false;
  const stop = () => {
    if (over) return;
    over = true;
    writer.abort().catch(() => {});
  };
  const send = async () => {
    const buffer = new Uint8Array(PART_BYTES);
    for (let at = 0; at < length && !over; ) {
      const size = visit.outgoing_part(at, buffer);
      if (size === 0) return stop();
      await writer.write(buffer.subarray(0, size));
      at += size;
    }
    if (over) return undefined;
    over = true;
    return writer.close();
  };
  // What goes wrong is told by the call that sends it.
  send().catch(() => {});
  return { content: readable, stop };
}
