// The waiting for the beginning of a streamed answer. An attempt is taken for the answer once some of that has come: until then
// nothing of it goes to the client, and another target can be tried. When it has begun is Rust's decision (relay.rs).
import { record } from "./glue.js";
import { TimeUp, steps } from "./late.js";

// Why an answer does not begin: its stream has ended or an error came instead, it broke, nothing came, its client has gone.
const ENDED = 0, BROKEN = 1, SILENT = 2;
export const GONE = 3;
const WAITING = 0, BEGUN = 1;
// A client waits for the beginning so long, from the first head on that a provider sent; then it is given a head itself, and a
// comment, and another each time that it has waited so long again.
const HOLD_MS = 10_000;
// Signs of life that are no answer, such as comments, let an attempt go on for so many times its time.
const ALIVE_TIMES = 5;
const COMMENT = new TextEncoder().encode(": waiting\n\n");

// The client of a stream while it waits for the answer.
export class Waiting {
  #early;
  #due = null;
  #give = null;
  #attempt = null;
  #looked = false;
  #told = false;
  #left = false;

  // `early` gives the headers of an answer that is begun with comments; nothing where its client does not know those.
  constructor(early) {
    this.#early = early;
  }

  // The client's response: that of `making`, or, should it take long, one that is given that answer once it is there.
  answer(making) {
    return new Promise((resolve, reject) => {
      this.#give = (headers) => resolve(new Response(this.#comments(making), { status: 200, headers: record(headers) }));
      making.then(resolve, reject);
    });
  }

  // Whether the client has a head already: what is wrong can only be told as an event.
  get told() {
    return this.#told;
  }

  get left() {
    return this.#left;
  }

  // The next attempt, which has so long for its head.
  attempt(ms) {
    this.#attempt = new Attempt(this, ms);
    return this.#attempt;
  }

  // A provider has sent the head of a stream.
  headed() {
    if (this.#due === null) this.#due = Date.now() + HOLD_MS;
  }

  // When it is to be looked after next: a head may come at any time.
  get due() {
    const next = Date.now() + HOLD_MS;
    return this.#due === null || this.#looked ? next : Math.min(this.#due, next);
  }

  look(now) {
    if (this.#looked || this.#due === null || now < this.#due) return;
    this.#looked = true;
    const headers = this.#early();
    if (headers === undefined) return;
    this.#told = true;
    this.#give(headers);
  }

  #comments(making) {
    let begun = false;
    let opened;
    const open = () => (opened ??= making.then((answer) => answer.body.getReader()));
    const pull = async (client) => {
      // A comment at once, and then one each time that there is still no answer.
      const reader = begun ? await Promise.race([open(), scheduler.wait(HOLD_MS)]) : undefined;
      begun = true;
      if (reader === undefined) return client.enqueue(COMMENT);
      const { done, value } = await reader.read();
      if (done) client.close();
      else client.enqueue(value);
    };
    const cancel = async () => {
      this.#left = true;
      this.#attempt?.stop();
      await (await open()).cancel();
    };
    return new ReadableStream({ pull, cancel }, { highWaterMark: 0 });
  }
}

// One attempt at a stream: its time, for which one timer serves, and what ends it. When that is up, or its client has left, `rest`
// tells how it is read on, as in late.js.
class Attempt {
  rest = null;
  #waiting;
  #abort = new AbortController();
  #reader = null;
  #due;
  #end = Infinity;
  #ms;
  #timer;
  #armed;
  #over = false;
  #up;
  #isUp = new Promise((_, reject) => (this.#up = () => reject(new TimeUp("timeout"))));

  constructor(waiting, ms) {
    this.#isUp.catch(() => {});
    this.#waiting = waiting;
    this.#due = Date.now() + ms;
    this.#arm();
  }

  get signal() {
    return this.#abort.signal;
  }

  // What `promise` gives in time; else TimeUp.
  within(promise, rest) {
    this.rest = rest;
    return Promise.race([promise, this.#isUp]);
  }

  // Ends the request, however far its answer has come.
  abort() {
    this.#abort.abort(new TimeUp("timeout"));
    this.#letGo();
  }

  // Reads the answer up to where it begins: { reader, bytes }, with the first bytes for the client. Where it does not begin
  // `bytes` is null, `how` says why, and there is a `rest` if it may begin yet.
  async begin(response, relay, ms) {
    const now = Date.now();
    [this.#ms, this.#due, this.#end] = [ms, now + ms, now + ALIVE_TIMES * ms];
    this.#waiting.headed();
    if (Math.min(this.#due, this.#waiting.due) < this.#armed) this.#arm();
    const reader = (this.#reader = response.body?.getReader() ?? null);
    const more = () => reader?.read().catch(() => null) ?? { done: true };
    try {
      for (;;) {
        const reading = more();
        const step = await this.within(reading, () => ({ next: steps(reading, more), stop: () => this.abort() }));
        this.rest = null;
        this.#due = Math.min(Date.now() + this.#ms, this.#end);
        const cut = step === null;
        const bytes = cut || step.done ? relay.finish(cut) : (relay.push(step.value) ?? step.value);
        const started = relay.started();
        if (started === BEGUN) return { reader, bytes };
        if (started === WAITING) continue;
        this.#letGo();
        return { bytes: null, how: this.#how(cut ? BROKEN : ENDED) };
      }
    } catch (error) {
      if (!(error instanceof TimeUp)) throw error;
      return { bytes: null, how: this.#how(SILENT) };
    } finally {
      this.over();
    }
  }

  // Nothing is waited for any more.
  over() {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  // Ends the stream where it is: the relay gives its last bytes.
  end() {
    this.#letGo();
  }

  // Nothing is waited for any more, although something may come yet.
  stop() {
    if (this.#over) return;
    this.over();
    this.#up();
  }

  #how(why) {
    return this.#waiting.left ? GONE : why;
  }

  #letGo() {
    this.#reader?.cancel().catch(() => {});
  }

  #arm() {
    clearTimeout(this.#timer);
    const now = Date.now();
    this.#armed = Math.min(this.#due, this.#waiting.due);
    this.#timer = setTimeout(() => this.#ring(), Math.max(this.#armed - now, 1));
  }

  #ring() {
    const now = Date.now();
    if (now >= this.#due) return this.stop();
    this.#waiting.look(now);
    this.#arm();
  }
}
