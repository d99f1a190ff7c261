// A native call's waiting half: admitted, passed on to its provider with its body as it comes, and its answer passed back. What
// happens next is decided in through.rs.
import { admitted, secrets, settle } from "./front.js";
import {
  CUT, LEFT, WHOLE, answer, callObject, callProvider, drop, failureBody, isClosed, late, relayStream, waits, watchdog, whenGone,
} from "./glue.js";
import { googleToken } from "./google.js";
import { Latecomers, Limit, TimeUp } from "./late.js";
import { LONG_MAX, Share } from "./memory.js";
import { openedBody } from "./through_body.js";
import { heardOut, speak } from "./whole.js";

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
// What is read at once of bytes that are only passed on.
const BUFFER_BYTES = 64 * 1_024;

export async function pass(visit, request, env, context) {
  const through = visit.through(request.headers.get("x-tollgate-provider") ?? "", carried(request.headers));
  const share = new Share();
  try {
    const content = await openedBody(through, request, env, share);
    if (content === undefined) return heardOut(speak(through, context), request.body, context);
    if (!(await admitted(through, env, context))) return heardOut(speak(through, context), content, context);
    return await made({ through, env, context, gone: request.signal }, content, share);
  } finally {
    share.give();
  }
}

// The call itself, with `content` as its body, of which `share` is held.
async function made(call, content, share) {
  const { through, env, context } = call;
  const hush = report(through, env);
  const latecomers = new Latecomers(context);
  try {
    const response = through.begin(secrets(env, through.secret_names())) ? await send(through, content, latecomers) : null;
    share.give();
    if (response !== null) {
      const waiting = response.ok ? "" : waits(response);
      if (through.head(response.status, headOf(response), waiting, Date.now())) return handOn(call, response, hush);
      if (through.explains()) through.explained(await failureBody(response), Date.now());
      else drop(response);
    }
  } catch (error) {
    through.crashed(String(error?.message));
  }
  hush();
  const tenant = through.tenant();
  latecomers.settle(through.settlement(), (text) => settle(env, context, tenant, text));
  // What the provider was not sent is heard out.
  return heardOut(speak(through, context), content, context);
}

function carried(headers) {
  const lines = CARRIED.filter((name) => headers.has(name)).map((name) => `${name}\n${headers.get(name)}`);
  return lines.join("\n");
}

// The provider's answer; nothing where there is none in time.
async function send(through, content, latecomers) {
  const account = through.google_account();
  try {
    if (account !== undefined) through.google_token(await googleToken(account));
  } catch (error) {
    through.no_token(String(error?.message));
    return null;
  }
  const limit = new Limit(through.timeout());
  try {
    const [url, headers, method] = [through.url(), through.outgoing_headers(), through.method()];
    through.sends();
    const sent = callProvider(url, headers, content, limit.signal, method);
    return await limit.within(sent, () => ({ head: sent, stop: () => limit.abort() }));
  } catch (error) {
    if (error instanceof TimeUp) latecomers.take(through.late(), limit.rest());
    through.failed(late(error), through.doubts(String(error?.message)) && (await isClosed(through.url())));
    return null;
  } finally {
    limit.over();
  }
}

function headOf(response) {
  return PASSED.map((name) => response.headers.get(name) ?? "").join("\n");
}

// Passes the answer back, as fast as the client takes it, and settles the call once that has ended.
function handOn({ through, env, context, gone }, response, hush) {
  const [status, headers] = [through.status(), through.headers()];
  if (response.body === null || through.method() === "HEAD") {
    drop(response);
    through.passed(0);
    return over(through, hush, env, context, answer(status, headers, null));
  }
  const [passage, held] = [through.passage(), new Share()];
  const options = { gone, mayHold: (bytes) => held.hold(bytes, LONG_MAX) || passage.let_go() };
  const passing = passage.understands()
    ? told(relayStream(response.body.getReader(), passage, status, headers, IDLE_MS, DRAIN_MS, options), through.length())
    : pumped(response, passage, answer(status, headers, null), through.length(), gone);
  const settled = async () => {
    through.passed(await passing.ended);
    held.end();
    passage.free();
    await over(through, hush, env, context);
  };
  context.waitUntil(settled());
  return passing.answer;
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
function pumped(response, passage, head, length, gone) {
  const { readable, writable } = stream(length);
  const [reader, writer] = [response.body.getReader({ mode: "byob" }), writable.getWriter()];
  const letGo = () => reader.cancel().catch(() => {});
  const watch = watchdog(IDLE_MS, letGo);
  whenGone(gone, () => writer.abort(gone.reason).catch(() => {}));
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
  const [tenant, every] = [through.tenant(), through.reports_every()];
  const tell = () => {
    const progress = through.progress(every);
    if (progress === "") return;
    const told = callObject(env.TENANTS, tenant, "amend", progress);
    told.catch((error) => console.warn(`a native call goes on unreported: ${error?.message}`));
  };
  const timer = setInterval(tell, every);
  return () => clearInterval(timer);
}
