// A whole answer on its way through: read part by part, as far as it may be held, and sent as fast as its client takes it. How
// much may be held of it, and what comes of more, is Rust's decision (answered.rs); the numbers below are known there.
import { CUT as CUT_OFF, LEFT, WHOLE, answer, watchdog, whenGone } from "./glue.js";
import { steps } from "./late.js";
import { HELD_MAX, Share, joined, release } from "./memory.js";

const PART_BYTES = 64 * 1_024;
const PASS = 0, CUT = 1;
const ROOM_MS = 10_000;
// How much is read of a body that was refused.
const REST_BYTES = 64 * 1_024 * 1_024;
const REST_MS = 15_000;

// The bytes of an answer; or what was read of it, for passOn, where they are too many to be held; or nothing: visit says why. `share`
// is what is held of it; where it `streams` there is no hurry. What is waited for when the `limit` is up, that tells how to read on.
export async function readAnswer(visit, response, share, limit, streams) {
  const length = response.headers.get("content-length");
  const plain = length !== null && !response.headers.has("content-encoding");
  if (response.body === null || (plain && !streams && Number(length) <= PART_BYTES)) {
    const bytes = response.arrayBuffer();
    const all = () => bytes.then((bytes) => ({ value: new Uint8Array(bytes), done: true }));
    return new Uint8Array(await limit.within(bytes, () => ({ next: all, stop: () => limit.abort() })));
  }
  return collect(visit, response.body.getReader({ mode: "byob" }), share, limit);
}

async function collect(visit, reader, share, limit) {
  const more = () => reader.readAtLeast(PART_BYTES, new Uint8Array(PART_BYTES));
  const letGo = () => reader.cancel().catch(() => {});
  const parts = [];
  let max = PART_BYTES;
  for (let size = 0; ; ) {
    const reading = more();
    const { value, done } = await limit.within(reading, () => ({ parts, next: steps(reading, more), stop: letGo }));
    if (value?.byteLength > 0) parts.push(value);
    size += value?.byteLength ?? 0;
    if (done) return together(parts, size);
    if (size < PART_BYTES) continue;
    max = Math.max(max, visit.answer_max());
    // What is put together is there twice for a moment.
    if (size <= max && (await share.wait(2 * size - share.bytes, HELD_MAX, ROOM_MS))) continue;
    const what = visit.beyond(size > max);
    if (what === PASS) return { reader, parts, share: moved(share, size) };
    letGo();
    return what === CUT ? together(parts, size) : null;
  }
}

// A share of its own for bytes that are there already.
function moved(share, size) {
  share.give();
  return counted(size);
}

function together(parts, size) {
  if (parts.length === 1) return parts[0];
  const whole = joined(parts, size);
  parts.forEach(release);
  return whole;
}

function counted(bytes) {
  const share = new Share();
  share.take(bytes, Infinity);
  return share;
}

// Passes such an answer on through `passage` (push, finish) by one buffer, which is used again once the client has taken what is in
// it. Where the client leaves it is read on for `drainMs`; what goes to the client is told to `tap`, even then. `ended` is a promise
// of how that ended.
export function passOn({ reader, parts, share }, passage, status, headers, { gone, idleMs, drainMs, tap }) {
  const { readable, writable } = new IdentityTransformStream();
  const writer = writable.getWriter();
  const letGo = () => reader.cancel().catch(() => {});
  const watch = watchdog(idleMs, letGo);
  whenGone(gone, () => writer.abort(gone.reason).catch(() => {}));
  let left = false;
  let drained = null;
  const give = async (bytes) => {
    tap?.(bytes.slice());
    if (left || bytes.byteLength === 0) return;
    await writer.write(bytes).catch(() => {
      left = true;
      drained = setTimeout(letGo, drainMs);
    });
  };
  const pump = async () => {
    for (const part of parts) {
      await give(passage.push(part) ?? part);
      release(part);
    }
    share.give();
    for (let buffer = new ArrayBuffer(PART_BYTES); ; ) {
      watch.listen(true);
      const { value, done } = await reader.read(new Uint8Array(buffer));
      watch.listen(false);
      if (done) break;
      await give(passage.push(value) ?? value);
      buffer = value.buffer;
    }
    await give(passage.finish(watch.barked));
    await writer.close();
    return WHOLE;
  };
  const broken = (error) => {
    writer.abort(error).catch(() => {});
    return CUT_OFF;
  };
  const ended = pump().catch(broken).then((how) => (left ? LEFT : how));
  const over = ended.finally(() => {
    watch.stop();
    clearTimeout(drained);
    share.give();
    letGo();
  });
  return { answer: answer(status, headers, readable), ended: over };
}

// An answer before the request's body was read: the `rest` of that, if it is a stream, is read to its end all the same, and
// forgotten, as long as it does not take too much. A client that is still sending would be cut off, and never see why.
export async function heardOut(response, rest, context) {
  if (!(rest instanceof ReadableStream) || rest.locked || response.body === null) return response;
  const bytes = new Uint8Array(await response.arrayBuffer());
  const { readable, writable } = new FixedLengthStream(bytes.byteLength);
  const writer = writable.getWriter();
  const send = async () => {
    await writer.write(bytes);
    await forget(rest).catch(() => {});
    await writer.close();
  };
  context.waitUntil(send().catch(() => {}));
  return new Response(readable, response);
}

// Reads a stream to its end, as far as that comes soon.
async function forget(stream) {
  const reader = stream.getReader({ mode: "byob" });
  const timer = setTimeout(() => reader.cancel().catch(() => {}), REST_MS);
  let buffer = new ArrayBuffer(PART_BYTES);
  for (let size = 0; size < REST_BYTES; ) {
    const { value, done } = await reader.readAtLeast(PART_BYTES, new Uint8Array(buffer)).catch(() => ({ done: true }));
    if (done) break;
    size += value.byteLength;
    buffer = value.buffer;
  }
  clearTimeout(timer);
  reader.cancel().catch(() => {});
}

// The body of a request that may not have been read to its end, where it is so long that its client might still be sending it; else
// null.
export function unreadBody(request) {
  const length = request.headers.get("content-length");
  return length !== null && Number(length) <= PART_BYTES ? null : request.body;
}

// An answer of bytes that are there. Many of them are counted until the client has taken them.
export function deliver(status, headers, content, context) {
  const bytes = typeof content === "string" && content.length > PART_BYTES ? new TextEncoder().encode(content) : content;
  if (!(bytes?.byteLength > PART_BYTES)) return answer(status, headers, bytes);
  const share = counted(bytes.byteLength);
  const { readable, writable } = new FixedLengthStream(bytes.byteLength);
  const writer = writable.getWriter();
  const sent = writer.write(bytes).then(() => writer.close());
  context.waitUntil(sent.catch(() => {}).finally(() => share.give()));
  return answer(status, headers, readable);
}

// The answer of a visit: bytes that it was given, or its own text.
export function speak(visit, context, content = visit.text()) {
  const response = deliver(visit.status(), visit.headers(), content, context);
  visit.free();
  return response;
}
