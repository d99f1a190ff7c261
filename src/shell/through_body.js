// A native call's body on its way in: passed on as it comes, but for what begins as JSON does, which is held and read first. What is
// held of it, and what is said of one that is not good, is Rust's decision (through/body.rs).
import { BODY_MS, BROKEN, NO_ROOM, PART_MS, ROOM_MS, TOO_SLOW, UNASKED_BYTES, mayGoOn } from "./body.js";
import { watchdog } from "./glue.js";
import { LONG_MAX } from "./memory.js";

// White space in JSON.
const BLANK = [0x20, 0x09, 0x0a, 0x0d];

// The request's body as it goes on: bytes, a stream, or null where it has none; undefined where it is refused, and through says why.
// `share` is what is held of it.
export async function openedBody(through, request, env, share) {
  const stream = request.body;
  const [type, length] = [request.headers.get("content-type") ?? "", request.headers.get("content-length")];
  if (stream === null || !through.opens(type)) return stream;
  const reader = stream.getReader();
  const beginning = await read(through, reader, { type, length }, env, share);
  reader.releaseLock();
  if (beginning === undefined) return undefined;
  const bytes = new Uint8Array(await new Blob(beginning.chunks).arrayBuffer());
  share.give(bytes.byteLength);
  const { ended, held } = beginning;
  if (held && bytes.byteLength > 0 && !through.read(bytes, ended)) return undefined;
  return ended ? bytes : continued(bytes, stream, length);
}

// As much of the body as has to be there before it goes on: its first bytes, or all of what is `held`.
async function read(through, reader, { type, length }, env, share) {
  const max = through.body_max(type);
  // How many bytes there is room for: those that it is said to have, or twice as many as before.
  let room = 0;
  const makeRoom = (bytes) => {
    room = length === null ? Math.max(bytes, 2 * room) : Math.max(bytes, Number(length));
    // It is there in parts, and then as a whole.
    return share.wait(2 * Math.min(room, max) - share.bytes, LONG_MAX, ROOM_MS);
  };
  const until = Date.now() + BODY_MS;
  const watch = watchdog(PART_MS, () => reader.cancel().catch(() => {}));
  const chunks = [];
  let [size, first, ended, held, asked] = [0, undefined, false, true, false];
  try {
    while (held && size <= max) {
      watch.listen(true);
      const { done, value } = await reader.read();
      watch.listen(false);
      if (watch.barked || Date.now() > until) return unread(through, TOO_SLOW);
      ended = done;
      if (done) break;
      chunks.push(value);
      size += value.byteLength;
      first ??= value.find((byte) => !BLANK.includes(byte));
      held = first === undefined || through.holds(type, first);
      if (!held || size <= UNASKED_BYTES) continue;
      if (!asked && !(await mayGoOn(through, env))) return undefined;
      asked = true;
      if (size > room && !(await makeRoom(size))) return unread(through, NO_ROOM);
    }
    return { chunks, ended, held };
  } catch {
    return unread(through, watch.barked ? TOO_SLOW : BROKEN);
  } finally {
    watch.stop();
  }
}

function unread(through, why) {
  through.unread(why);
  return undefined;
}

// The stream of `bytes` and the rest, with the length that it is said to have.
function continued(bytes, rest, length) {
  const { readable, writable } = length === null ? new IdentityTransformStream() : new FixedLengthStream(Number(length));
  const writer = writable.getWriter();
  const written = writer.write(bytes).then(() => {
    writer.releaseLock();
    return rest.pipeTo(writable);
  });
  // Whoever breaks off is told at the other end.
  written.catch(() => {});
  return readable;
}
