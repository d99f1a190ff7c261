// A native call's waiting half: admitted, passed on to its provider with its body as it comes, and its answer passed back. What
// happens next is decided in through.rs.
import { admitted, secrets, settle } from "./front.js";
import {
  CUT, LEFT, WHOLE, answer, callObject, callProvider, drop, failureBody, inHeadTime, isClosed, late, relayStream, waits, watchdog,
} from "./glue.js";
import { googleToken } from "./google.js";
import { LONG_MAX, Share } from "./memory.js";
import { speak } from "./whole.js";

// The client's headers that go on to a provider; how long the body is goes with it.
const CARRIED = ["content-type", "accept", "range", "anthropic-version", "anthropic-beta", "openai-beta"];
// The provider's headers that matter, in the order in which Rust reads them.
const PASSED = [
  "content-type", "retry-after", "retry-after-ms", "content-length", "content-disposition", "content-range", "accept-ranges",
  "content-encoding",
];
// An answer of which nothing comes for so long is taken for cut.
const IDLE_MS = 120_000;
// How long an answer is read on whose client has left.
const DRAIN_MS = 25_000;
// White space in JSON.
const BLANK = [0x20, 0x09, 0x0a, 0x0d];
// What is read at once of bytes that are only passed on.
const BUFFER_BYTES = 64 * 1_024;
// How often it is asked whether the tenant's object is to hear of the call.
const REPORT_MS = 5_000;

export async function pass(visit, request, env, context) {
  const through = visit.through(request.headers.get("x-tollgate-provider") ?? "", carried(request.headers));
  const share = new Share();
  const content = await opened(through, request, share);
  if (content === undefined || !(await admitted(through, env, context))) {
    share.give();
    return speak(through, context);
  }
  const hush = report(through, env);
  try {
    const response = through.begin(secrets(env, through.secret_names())) ? await send(through, content) : null;
    share.give();
    if (response !== null) {
      const waiting = response.ok ? "" : waits(response);
      if (through.head(response.status, headOf(response), waiting, Date.now())) return handOn(through, response, hush, env, context);
      if (through.explains()) through.explained(await failureBody(response), Date.now());
      else drop(response);
    }
  } catch (error) {
    through.crashed(String(error?.message));
  }
  share.give();
  hush();
  settle(env, context, through.tenant(), through.settlement());
  return speak(through, context);
}

function carried(headers) {
  const lines = CARRIED.filter((name) => headers.has(name)).map((name) => `${name}\n${headers.get(name)}`);
  return lines.join("\n");
}

// The request's body as it goes on. What begins as JSON does is held and read first; a body that is refused is undefined.
async function opened(through, request, share) {
  const stream = request.body;
  const [type, length] = [request.headers.get("content-type") ?? "", request.headers.get("content-length")];
  if (stream === null || !through.opens(type)) return stream;
  const max = through.body_max(type);
  const reader = stream.getReader();
  const chunks = [];
  let [size, first, ended, held] = [0, undefined, false, true];
  while (!ended && held && size <= max) {
    const { done, value } = await reader.read();
    ended = done;
    if (done) break;
    chunks.push(value);
    size += value.byteLength;
    // It is there in parts, and then as a whole.
    if (size > BUFFER_BYTES && !share.hold(2 * size, LONG_MAX)) {
      reader.cancel().catch(() => {});
      through.no_room();
      return undefined;
    }
    first ??= value.find((byte) => !BLANK.includes(byte));
    held = first === undefined || through.holds(type, first);
  }
  reader.releaseLock();
  const bytes = new Uint8Array(await new Blob(chunks).arrayBuffer());
  share.give(bytes.byteLength);
  if (held && size > 0 && !through.read(bytes, ended)) return undefined;
  return ended ? bytes : continued(bytes, stream, length);
}

// The stream of `bytes` and the rest, with the length that it is said to have.
function continued(bytes, rest, length) {
  const { readable, writable } = stream(length === null ? undefined : Number(length));
  const writer = writable.getWriter();
  const written = writer.write(bytes).then(() => {
    writer.releaseLock();
    return rest.pipeTo(writable);
  });
  // Whoever breaks off is told at the other end.
  written.catch(() => {});
  return readable;
}

// The provider's answer; nothing where there is none.
async function send(through, content) {
  const account = through.google_account();
  try {
    if (account !== undefined) through.google_token(await googleToken(account));
  } catch (error) {
    through.no_token(String(error?.message));
    return null;
  }
  try {
    const [url, headers, method] = [through.url(), through.outgoing_headers(), through.method()];
    through.sends();
    return await inHeadTime(through.timeout(), (signal) => callProvider(url, headers, content, signal, method));
  } catch (error) {
    through.failed(late(error), through.doubts(String(error?.message)) && (await isClosed(through.url())));
    return null;
  }
}

function headOf(response) {
  return PASSED.map((name) => response.headers.get(name) ?? "").join("\n");
}

// Passes the answer back, as fast as the client takes it, and settles the call once that has ended.
function handOn(through, response, hush, env, context) {
  const [status, headers] = [through.status(), through.headers()];
  if (response.body === null || through.method() === "HEAD") {
    drop(response);
    through.passed(0);
    return over(through, hush, env, context, answer(status, headers, null));
  }
  const passage = through.passage();
  const passing = passage.understands()
    ? told(relayStream(response.body.getReader(), passage, status, headers, IDLE_MS, DRAIN_MS, held()), through.length())
    : pumped(response, passage, answer(status, headers, null), through.length());
  const settled = async () => {
    through.passed(await passing.ended);
    passage.free();
    await over(through, hush, env, context);
  };
  context.waitUntil(settled());
  return passing.answer;
}

// What relayStream counts as held.
function held() {
  const share = new Share();
  return { mayHold: (bytes) => share.hold(bytes, LONG_MAX) };
}

function over(through, hush, env, context, given) {
  hush();
  const sent = settle(env, context, through.tenant(), through.settlement());
  through.free();
  return given ?? sent;
}

// A stream whose length, where it is known, is told in the head of its answer.
const stream = (length) => (length === undefined ? new IdentityTransformStream() : new FixedLengthStream(length));

// The same answer with its length in its head.
function told({ answer, ended }, length) {
  if (length === undefined) return { answer, ended };
  const { readable, writable } = stream(length);
  // Who leaves, and who breaks off, is told at the other end.
  answer.body.pipeTo(writable).catch(() => {});
  return { answer: new Response(readable, answer), ended };
}

// Passes bytes on by one buffer, which is used again once the client has taken what is in it: so downloads of any size leave
// nothing behind for the collector. `ended` is a promise of how that ended.
function pumped(response, passage, head, length) {
  const { readable, writable } = stream(length);
  const [reader, writer] = [response.body.getReader({ mode: "byob" }), writable.getWriter()];
  const letGo = () => reader.cancel().catch(() => {});
  const watch = watchdog(IDLE_MS, letGo);
  // The next bytes for the client, in `step`, or what is wrong with them.
  const read = async (buffer) => {
    watch.listen(true);
    const step = await reader.read(new Uint8Array(buffer));
    watch.listen(false);
    const bytes = step.done ? passage.finish(watch.barked) : (passage.push(step.value) ?? step.value);
    return { ...step, bytes };
  };
  const pump = async () => {
    for (let buffer = new ArrayBuffer(BUFFER_BYTES); ; ) {
      let step;
      try {
        step = await read(buffer);
      } catch (error) {
        await writer.abort(error).catch(() => {});
        return CUT;
      }
      try {
        if (step.bytes.byteLength > 0) await writer.write(step.bytes);
        if (step.done) await writer.close();
      } catch {
        return LEFT;
      }
      if (step.done) return WHOLE;
      buffer = step.value.buffer;
    }
  };
  const ended = pump().finally(() => {
    watch.stop();
    letGo();
  });
  return { answer: new Response(readable, head), ended };
}

// Tells the tenant's object now and then that the call goes on, so that it keeps what it holds; gives what ends that.
function report(through, env) {
  const tenant = through.tenant();
  const tell = () => {
    const progress = through.progress(REPORT_MS);
    if (progress === "") return;
    const told = callObject(env.TENANTS, tenant, "amend", progress);
    told.catch((error) => console.warn(`a native call goes on unreported: ${error?.message}`));
  };
  const timer = setInterval(tell, REPORT_MS);
  return () => clearInterval(timer);
}
