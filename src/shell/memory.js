// How many bytes this isolate holds for all its calls: plain numbers, counted before the bytes are there. Whoever is to hold some
// takes a share of them, and gives it back at its end.

const MIB = 1_024 * 1_024;
// An isolate has 128 MB for everything. What is not counted here is the runtime's, garbage, and what a step of Rust needs while it runs.
export const HELD_MAX = 64 * MIB;
// How full all may be for whoever can do without: what is left then is there for calls of an ordinary size.
export const LONG_MAX = 40 * MIB;
export const KEPT_MAX = 24 * MIB;
// A share of which nothing is heard for so long has lost the request that was to give it back.
const LOST_MS = 15 * 60_000;
// Waiting for room: how often it is looked for, and by how many at most.
const LOOK_MS = 50;
const WAITING_MAX = 64;

let held = 0;
let peak = 0;
let refused = 0;
const shares = new Set();
const waiting = new Set();

// What is held now, what was held at most, and how often there was no room.
export function memory() {
  collect();
  return { held, peak, refused };
}

// A part of what is held.
export class Share {
  #bytes = 0;
  #ended = false;
  #until = 0;
  #letGo;

  // `letGo` frees what the share is of, should its request be lost.
  constructor(letGo = () => {}) {
    this.#letGo = letGo;
  }

  get bytes() {
    return this.#bytes;
  }

  // Whether there is room for so many bytes more, which are the share's then: no more than `max` are held with them.
  take(bytes, max = HELD_MAX) {
    if (this.#ended) return false;
    if (held + bytes > max) collect();
    if (held + bytes > max) {
      refused += 1;
      return false;
    }
    held += bytes;
    peak = Math.max(peak, held);
    this.#bytes += bytes;
    this.keep();
    return true;
  }

  // The same, and waits up to `ms` for it.
  async wait(bytes, max, ms) {
    if (this.take(bytes, max)) return true;
    const until = Date.now() + ms;
    for (const other of waiting) if (other.until < Date.now()) waiting.delete(other);
    if (bytes > max || waiting.size >= WAITING_MAX) return false;
    const self = { until };
    waiting.add(self);
    let found = false;
    while (!found && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      found = held + bytes <= max && this.take(bytes, max);
    }
    waiting.delete(self);
    return found;
  }

  // Makes so many bytes the share's: whether there is room for them; less is always possible.
  hold(bytes, max = HELD_MAX) {
    if (bytes > this.#bytes) return this.take(bytes - this.#bytes, max);
    this.give(bytes);
    this.keep();
    return true;
  }

  // Says that it lives, and for how long it will although nothing is heard of it.
  keep(ms = LOST_MS) {
    this.#until = Date.now() + ms;
    if (this.#bytes > 0) shares.add(this);
  }

  // Gives back all but `left` bytes.
  give(left = 0) {
    const given = Math.max(this.#bytes - left, 0);
    held -= given;
    this.#bytes -= given;
    if (this.#bytes === 0) shares.delete(this);
  }

  // Gives all back for good. What still comes of what it was for is garbage, and finds no room.
  end() {
    this.#ended = true;
    this.give();
  }

  // Whether it is lost: then it is given back.
  lost(now) {
    if (this.#until > now) return false;
    this.#letGo();
    this.give();
    return true;
  }
}

// Frees the memory of bytes that nobody looks at any more, now and not when garbage is collected. They are gone then.
export function release(bytes) {
  if (bytes.byteLength > 0) bytes.buffer.transfer(0);
}

// The bytes of all `parts`.
export function joined(parts, size) {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

// Gives back the shares that are lost.
function collect() {
  const now = Date.now();
  for (const share of shares) if (share.lost(now)) console.warn("a call that was lost is not held any more");
}
