// What the provider saw and did: one record per call, bounded in number and bytes, and counts that are never dropped.
//
// A record ends in one of three ways: `completed` (all was sent), `cut` (the script cut it), `aborted` (the peer went away).
// `completion_tokens` are those the provider bills: the chunks that were sent of a stream, all of a whole answer once it was made.
// `usage` is what it told of them, once it was all sent; null if it told nothing, or was cut before.

const RECORDS_MAX = 20_000;
const BODY_BYTES_MAX = 64 << 20;
/** The headers that carry a credential in some dialect: `auth` of a record has those that came, as they came. */
const CREDENTIALS = ['authorization', 'x-api-key', 'x-goog-api-key', 'api-key'];

export class Journal {
  #calls = [];
  #bodyBytes = 0;
  #waiting = new Set();
  #onEnd;
  quiet = false;
  dropped = 0;
  seq = 0;
  stats = { requests: 0, connections: 0, aborted: 0, open: 0 };

  /** `onEnd` gets each record when its call is over, of those too that are not kept. */
  constructor(onEnd = () => {}) {
    this.#onEnd = onEnd;
  }

  /** A new record. Quiet: it is counted but not kept, and has no headers and no body. */
  begin(req, path) {
    this.seq += 1;
    this.stats.requests += 1;
    const call = {
      seq: this.seq, method: req.method, path, model: null, call: req.headers['x-client-request-id'] ?? null,
      dialect: null, authorization: null, auth: {}, headers: null, body: null, status: 0, chunks: 0,
      completed: false, aborted: false, cut: false, prompt_tokens: 0, completion_tokens: 0, usage: null,
    };
    if (this.quiet) return call;
    call.authorization = req.headers.authorization ?? null;
    for (const name of CREDENTIALS) if (req.headers[name] !== undefined) call.auth[name] = req.headers[name];
    call.headers = req.headers;
    this.#calls.push(call);
    if (this.#calls.length > RECORDS_MAX) this.#drop();
    return call;
  }

  body(call, parsed, raw) {
    if (this.quiet || call.headers === null) return;
    call.body = parsed;
    Object.defineProperty(call, 'raw', { value: raw, enumerable: false });
    this.#bodyBytes += raw.length;
    while (this.#bodyBytes > BODY_BYTES_MAX && this.#calls.length > 1) this.#drop();
    this.changed();
  }

  #drop() {
    const call = this.#calls.shift();
    this.#bodyBytes -= call.raw?.length ?? 0;
    this.dropped += 1;
  }

  /** `stats` are those of the time the call began: a reset since then forgets how it ends. */
  end(call, completed, stats) {
    if (completed) call.completed = true;
    else if (!call.cut) {
      call.aborted = true;
      stats.aborted += 1;
    }
    this.#onEnd(call);
    this.changed();
  }

  calls() {
    return this.#calls;
  }

  changed() {
    for (const check of this.#waiting) check();
  }

  /** Resolves when `holds(calls, stats)` does: tests wait for what happens, not for time to pass. */
  until(holds) {
    return new Promise((resolve) => {
      const check = () => {
        const held = holds(this.#calls, this.stats);
        if (!held) return;
        this.#waiting.delete(check);
        resolve(held);
      };
      this.#waiting.add(check);
      check();
    });
  }

  /** Forgets calls and counts (connections that are open stay counted as open), and records in full again. */
  reset() {
    this.#calls = [];
    this.#bodyBytes = 0;
    this.quiet = false;
    this.dropped = 0;
    this.stats = { requests: 0, connections: 0, aborted: 0, open: this.stats.open };
  }
}
