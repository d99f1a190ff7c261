// The object's half of named calls: the answers that still come, in memory, and those that are kept, in its storage.
// What becomes of them is Rust's decision (idempotency/names.rs); the numbers below are known to replay.js.
import { KEPT_MAX, Share, release } from "./memory.js";

export const MORE = 0, END = 1, WAIT = 2, NOT_KEPT = 3, GONE = 4;
const PART_BYTES = 512 * 1_024;
// A failed answer is there for followers that are just asking; one of which nothing is heard any more is let go of.
const FAILED_MS = 15_000;
const SILENT_MS = 60_000;
// One whose object was evicted is forgotten by nobody else.
const LOST_MS = 2 * SILENT_MS;
// A follower that has just been given something asks again.
const FOLLOWED_MS = 2_000;

const PART_WRITE = "INSERT OR REPLACE INTO answers (at, part, bytes) VALUES (?, ?, ?)";
const PART_READ = "SELECT bytes FROM answers WHERE at = ? AND part = ?";

export class Answers {
  #storage;
  #decide;
  #write;
  #coming = new Map();

  // `decide` runs a step of the host, `write` writes what it changed.
  constructor(storage, decide, write) {
    this.#storage = storage;
    this.#decide = decide;
    this.#write = write;
  }

  // Takes a leader's next bytes; what replay.js needs to know of that.
  publish(text, bytes) {
    this.#forget();
    const told = JSON.parse(text);
    const { call, head, last } = told;
    const known = this.#coming.get(call);
    const now = Date.now();
    const size = bytes.byteLength;
    const coming = known ?? new Coming(now);
    // The objects of all tenants in an isolate share its memory.
    const said = coming.hasRoom(size) ? text : JSON.stringify({ ...told, lost: true });
    const { stop, take, have, full, store } = JSON.parse(this.#decide((host) => host.publish(now, said, known?.size ?? 0, size)));
    if (stop) {
      if (known === undefined) coming.clear();
      return { stop };
    }
    this.#coming.set(call, coming);
    if (take) coming.add(head, bytes);
    coming.heard = now;
    coming.full = full;
    if (full) coming.clear();
    if (last === "failed" && take) coming.ended = now;
    if (last === "kept" && (take || full)) {
      this.#coming.delete(call);
      if (store !== null) this.#store(store, coming);
      coming.clear();
    }
    if (last && (take || full)) this.#write();
    coming.wake();
    return { stop, have, full, followed: coming.followers > 0 || now - coming.followed < FOLLOWED_MS };
  }

  // What there is of an answer from a place on (-1: its head as well), at most so many bytes: waits a while for it, if there is
  // nothing yet.
  async follow(text, from, most = PART_BYTES) {
    this.#forget();
    const { call, at } = JSON.parse(text);
    for (let waited = false; ; waited = true) {
      const coming = this.#coming.get(call);
      if (coming?.has(from)) return coming.give(from, most);
      const stands = JSON.parse(this.#decide((host) => host.follow(Date.now(), text)));
      if (stands.stored !== undefined) return this.#stored(at, stands.stored, from, most);
      if (stands.wait === undefined) return { state: stands === "not_kept" ? NOT_KEPT : GONE };
      if (waited) return { state: WAIT };
      await (coming ?? this.#begin(call)).news(stands.wait);
    }
  }

  #begin(call) {
    const coming = new Coming(Date.now());
    this.#coming.set(call, coming);
    return coming;
  }

  #store(at, coming) {
    const { sql } = this.#storage;
    const write = (part) => {
      const bytes = coming.bytes(part * PART_BYTES, Math.min((part + 1) * PART_BYTES, coming.size));
      const { rowsWritten } = sql.exec(PART_WRITE, at, part, bytes);
      release(bytes);
      return rowsWritten;
    };
    try {
      const rows = this.#storage.transactionSync(() => {
        let written = write(0);
        for (let part = 1; part * PART_BYTES < coming.size; part++) written += write(part);
        return written;
      });
      this.#decide((host) => host.wrote(rows));
    } catch (error) {
      console.error(`an answer could not be stored: ${error?.message}`);
      this.#decide((host) => host.not_stored(Date.now(), at));
    }
  }

  #stored(at, head, from, most) {
    const start = Math.max(from, 0);
    const part = Math.floor(start / PART_BYTES);
    const [row] = this.#storage.sql.exec(PART_READ, at, part).raw();
    const whole = row === undefined ? new Uint8Array() : new Uint8Array(row[0]);
    const rest = whole.subarray(start - part * PART_BYTES);
    const isEnd = whole.byteLength < PART_BYTES && rest.byteLength <= most;
    const bytes = rest.slice(0, most);
    release(whole);
    return { state: isEnd ? END : MORE, head, bytes };
  }

  #forget() {
    const now = Date.now();
    for (const [call, { ended, heard }] of this.#coming) {
      const over = ended === 0 ? now - heard > SILENT_MS : now - ended > FAILED_MS;
      if (!over) continue;
      this.#coming.get(call).clear();
      this.#coming.delete(call);
    }
  }
}

// An answer that still comes, or has failed.
class Coming {
  head = null;
  size = 0;
  full = false;
  ended = 0;
  followers = 0;
  followed = 0;
  #parts = [];
  #waiting = new Set();
  #held = new Share(() => this.clear());

  constructor(now) {
    this.heard = now;
  }

  // Whether there is room for so many bytes more; they are counted then.
  hasRoom(bytes) {
    const found = this.#held.hold(this.size + bytes, KEPT_MAX);
    this.#held.keep(LOST_MS);
    return found;
  }

  add(head, bytes) {
    this.head = head ?? this.head;
    if (bytes.byteLength > 0) this.#parts.push(bytes);
    this.size += bytes.byteLength;
  }

  clear() {
    this.#parts.forEach(release);
    this.#parts = [];
    this.size = 0;
    this.#held.give();
  }

  // The bytes between two places.
  bytes(from, to) {
    const bytes = new Uint8Array(to - from);
    let at = -from;
    for (const part of this.#parts) {
      const fits = part.subarray(Math.max(-at, 0), Math.max(to - from - at, 0));
      if (fits.byteLength > 0) bytes.set(fits, Math.max(at, 0));
      at += part.byteLength;
    }
    return bytes;
  }

  has(from) {
    return this.head !== null && !this.full && (from < this.size || this.ended > 0);
  }

  give(from, most) {
    this.followed = Date.now();
    const start = Math.min(Math.max(from, 0), this.size);
    const end = Math.min(start + most, this.size);
    return { state: this.ended > 0 && end === this.size ? END : MORE, head: this.head, bytes: this.bytes(start, end) };
  }

  // Resolves when something has happened, at the latest after `ms`.
  news(ms) {
    this.followers += 1;
    this.followed = Date.now();
    return new Promise((resolve) => {
      const heard = () => {
        clearTimeout(timer);
        this.#waiting.delete(heard);
        this.followers -= 1;
        resolve();
      };
      const timer = setTimeout(heard, ms);
      this.#waiting.add(heard);
    });
  }

  wake() {
    for (const heard of this.#waiting) heard();
  }
}
