// What Rust asks of the platform, each in one crossing. Nothing here decides anything.
import { connect } from "cloudflare:sockets";

// ---- requests and answers ----

// Method, address and the headers that the gateway reads, as lines.
export function head(request) {
  const headers = request.headers;
  const get = (name) => headers.get(name) ?? "";
  const keys = `${get("authorization")}\n${get("x-api-key")}\n${get("api-key")}\n${get("x-goog-api-key")}`;
  const anthropic = `${get("anthropic-version")}\n${get("anthropic-beta")}`;
  const preflight = request.method === "OPTIONS" ? `${get("access-control-request-method")}\n${get("access-control-request-headers")}` : "\n";
  const lines = `${request.method}\n${request.url}\n${keys}\n${get("content-encoding")}\n${anthropic}\n${get("origin")}\n${preflight}`;
  const name = headers.get("idempotency-key");
  return name === null ? lines : `${lines}\n${name}`;
}

// The body, or null if it has more than `max` bytes.
export async function body(request, max) {
  if (Number(request.headers.get("content-length")) > max) return null;
  const chunks = [];
  let size = 0;
  // The rest of one that is too long is heard out.
  for await (const chunk of request.body?.values({ preventCancel: true }) ?? []) {
    size += chunk.byteLength;
    if (size > max) return null;
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

// An answer; `headers` alternate names and values.
export function answer(status, headers, content) {
  return new Response(content === "" ? null : content, { status, headers: record(headers) });
}

// Lines that alternate names and values as an object: the runtime takes that for half the cost of a
// list of pairs.
export function record(lines) {
  const parts = lines.split("\n");
  const headers = {};
  for (let at = 0; at + 1 < parts.length; at += 2) headers[parts[at]] = parts[at + 1];
  return headers;
}

// ---- the tenant's object ----

const OBJECT_MS = 5_000;
const TRIES = 3;
const PAUSE_MS = 50;

// Calls `method` of the object `name`. Every message can be said twice without harm, so one that
// timed out or broke is said again, by a new stub; never to an object that is overloaded.
export async function callObject(namespace, name, method, ...texts) {
  for (let tried = 1; ; tried++) {
    try {
      return await inTime(namespace.getByName(name)[method](...texts), OBJECT_MS);
    } catch (error) {
      const again = error?.retryable === true || error?.message === "timeout";
      if (tried === TRIES || !again || error?.overloaded === true) throw error;
    }
    await scheduler.wait(PAUSE_MS << tried);
  }
}

function inTime(promise, ms) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("timeout")), ms);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

// ---- the object's storage ----

// The rows that a statement gives, as JSON: a list of lists.
export function read(storage, statement, binds) {
  return JSON.stringify(storage.sql.exec(statement, ...JSON.parse(binds)).raw().toArray());
}

// How many bytes the rows take.
export function databaseSize(storage) {
  return storage.sql.databaseSize;
}

// Runs statements, each with its one text, all or none; how many rows that wrote.
export function write(storage, statements, texts) {
  return storage.transactionSync(() => {
    let rows = 0;
    for (let at = 0; at < statements.length; at++) {
      const cursor = storage.sql.exec(statements[at], ...(texts[at] === null ? [] : [texts[at]]));
      cursor.toArray();
      rows += cursor.rowsWritten;
    }
    return rows;
  });
}

// ---- providers ----

// Calls a provider: resolves to its response as soon as the head is there.
export async function callProvider(url, headers, content, signal, method = "POST") {
  return fetch(url, { method, headers: record(headers), body: content, redirect: "manual", signal });
}

// The same of a model that the binding `ai` runs; `inputs` is JSON.
export async function callModel(ai, model, inputs, signal) {
  const given = JSON.parse(new TextDecoder().decode(inputs));
  return ai.run(model, given, { returnRawResponse: true, signal });
}

// Whether `ai` can run models.
export function runsModels(ai) {
  return typeof ai?.run === "function";
}

// How long opening a connection is tried.
const CONNECT_MS = 1_000;

// Whether no connection can be opened to the server of an address.
export async function isClosed(address) {
  const { hostname, port, protocol } = new URL(address);
  const secure = protocol === "https:";
  const server = { hostname, port: Number(port) || (secure ? 443 : 80) };
  try {
    const socket = connect(server, { secureTransport: secure ? "on" : "off" });
    // Who closes it does not matter.
    socket.closed.catch(() => {});
    await inTime(socket.opened, CONNECT_MS);
    socket.close().catch(() => {});
    return false;
  } catch (error) {
    return !late(error);
  }
}

// Whether an error is that time ran out.
export function late(error) {
  return error?.name === "TimeoutError" || error?.message === "timeout";
}

// The headers of a provider's answer that matter, as lines: its content type and, of a failure, those by which it says how long
// to wait, as names and values.
export function answerHead(response) {
  const type = response.headers.get("content-type") ?? "";
  return response.ok ? type : `${type}${waits(response)}`;
}

const WAIT = /retry-after|rate-?limit/;

export function waits(response) {
  let lines = "";
  for (const [name, value] of response.headers) if (WAIT.test(name)) lines += `\n${name}\n${value}`;
  return lines;
}

const FAILURE_BYTES = 64 * 1_024;
const FAILURE_MS = 2_000;

// The beginning of a failure's body, as far as it comes in time.
export async function failureBody(response) {
  const parts = [];
  let size = 0;
  const reader = response.body?.getReader();
  const letGo = () => reader?.cancel().catch(() => {});
  const timer = setTimeout(letGo, FAILURE_MS);
  try {
    for (let step; size < FAILURE_BYTES && !(step = (await reader?.read()) ?? { done: true }).done; ) {
      parts.push(step.value);
      size += step.value.byteLength;
    }
  } catch {
    // What came of it will do.
  }
  clearTimeout(timer);
  letGo();
  return new Uint8Array(await new Blob(parts).arrayBuffer()).subarray(0, FAILURE_BYTES);
}

// Lets go of an answer that nobody reads.
export function drop(response) {
  response.body?.cancel().catch(() => {});
}

export const WHOLE = 0, CUT = 1, LEFT = 2;
const NOTHING = new Uint8Array();
// After so many bytes of a stream it is asked how many of them are held.
const COUNTED_BYTES = 64 * 1_024;
const FREED_BYTES = 16 * 1_024;

const encoder = new TextEncoder();

// Bytes, or the bytes of a text.
export function bytesOf(said) {
  return typeof said === "string" ? encoder.encode(said) : said;
}

// Passes a stream that `reader` reads on through `relay` (push, over, finish, drains), after the bytes `first`: `answer` is the client's
// response, `ended` a promise of how it ended (0 by itself, 1 cut by the provider, 2 the client left), and `stop` ends it where the relay
// wants to. Where the client leaves while the relay drains, the provider is read on for `drainMs`. What goes to the client is told to
// `tap`, even if it has left, and the provider is read up to `ahead` bytes before a slow client, as far as `mayWait` finds room for them.
// `mayHold` finds room for what the relay holds.
export function relayStream(reader, relay, status, headers, idleMs, drainMs, options, first = null) {
  const { gone, tap, ahead = 0, mayWait = () => true, mayHold } = options;
  const letGo = () => reader?.cancel().catch(() => {});
  const watch = watchdog(idleMs, letGo);
  let client;
  let reading;
  let pulled = false;
  let stopping = false;
  let closing = false;
  let left = false;
  let drains = true;
  let late = false;
  let end;
  const ended = new Promise((resolve) => {
    end = (how) => {
      end = () => {};
      watch.stop();
      letGo();
      mayHold(0);
      // A stream that broke keeps its error, and the error keeps all that is reached from here: the stream too, for ever.
      reader = null;
      resolve(how);
    };
  });

  const told = (bytes) => {
    tap?.(bytes);
    return bytes;
  };
  // Reads the next chunk, or the end: what the client gets for it.
  const begin = () => {
    const bytes = told(first);
    first = null;
    return bytes;
  };
  const read = async () => {
    if (first !== null) return begin();
    watch.listen(true);
    const step = await reader.read().catch(() => null);
    watch.listen(false);
    if (!drains) return NOTHING;
    const cut = step === null || watch.barked || late;
    return told(cut || step.done ? relay.finish(cut) : pushed(step.value));
  };
  // What the client gets for a chunk. The relay may hold much of a frame that is not whole, or of the stream: that is asked now
  // and then.
  let uncounted = 0;
  const pushed = (chunk) => {
    uncounted += chunk.byteLength;
    const given = relay.push(chunk);
    const bytes = given ?? chunk;
    // What does not go out is freed now, where it is much.
    if (given !== undefined && chunk.byteLength >= FREED_BYTES) chunk.buffer.transfer(0);
    if (uncounted < COUNTED_BYTES) return bytes;
    uncounted = 0;
    return relay.over() || mayHold(relay.held()) ? bytes : relay.overflow();
  };
  // How many bytes wait for the client.
  const waits = () => (ahead > 0 ? ahead - client.desiredSize : 0);
  const advance = () => (reading = read());
  // Gives the client some bytes, and its end if they were the last: whether it got something.
  const give = (bytes) => {
    if (bytes.byteLength > 0) client.enqueue(bytes);
    if (!relay.over()) return bytes.byteLength > 0;
    closing = true;
    close();
    end(watch.barked ? CUT : WHOLE);
    return true;
  };
  const close = () => {
    if (mayWait(waits()) && waits() === 0) client.close();
  };
  const finish = () => {
    if (left || relay.over()) return;
    if (first !== null) give(begin());
    give(told(relay.finish(false)));
  };
  const drain = async () => {
    const timer = setTimeout(() => {
      late = true;
      letGo();
    }, drainMs);
    try {
      await reading;
      while (!relay.over() && !late) await advance();
    } catch {
      // What was counted until now is billed.
    }
    clearTimeout(timer);
    end(LEFT);
  };

  // Nothing is read before there is room for it, so a slow client holds the provider back.
  const body = new ReadableStream(
    {
      start: (controller) => {
        client = controller;
      },
      async pull() {
        // Asked again whenever the client has taken some of what waits for it: there may be no room for more.
        if (closing) return close();
        if (!mayWait(waits()) && waits() > 0) return;
        pulled = true;
        try {
          let bytes;
          do {
            bytes = await advance();
          } while (!left && !give(bytes));
          if (stopping) finish();
        } catch (error) {
          end(CUT);
          throw error;
        }
        pulled = false;
      },
      cancel: () => leave(),
    },
    ahead > 0 ? new ByteLengthQueuingStrategy({ highWaterMark: ahead }) : { highWaterMark: 0 },
  );
  const leave = () => {
    if (left) return;
    left = true;
    mayWait(0);
    drains = tap !== undefined || relay.drains();
    if (drains) drain();
    else end(LEFT);
  };
  whenGone(gone, leave);
  // A read under way ends at once; a client that asks for nothing gets the end all the same.
  const stop = () => {
    stopping = true;
    letGo();
    if (!pulled) finish();
  };
  return { answer: new Response(body, { status, headers: record(headers) }), ended, stop };
}

// Calls `leave` once a client has gone, by its request's signal. One that goes before it has its answer takes nothing of that, and its
// stream is never cancelled either.
export function whenGone(signal, leave) {
  if (signal.aborted) leave();
  else signal.addEventListener("abort", leave, { once: true });
}

// Calls `bark` when it has listened for `ms` in vain, at the latest after twice that. A client that
// is slow to read is not the provider's silence.
export function watchdog(ms, bark) {
  let listening = false;
  let heard = true;
  const timer = setInterval(() => {
    if (listening && !heard) {
      watch.barked = true;
      bark();
    }
    heard = false;
  }, ms);
  const watch = {
    barked: false,
    listen(on) {
      listening = on;
      heard = true;
    },
    stop: () => clearInterval(timer),
  };
  return watch;
}
