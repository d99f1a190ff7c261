// How an answer leaves: whole, streamed a token at a time, in pieces, or broken where the plan says.

import { framed, unframed } from './wire.mjs';

const LINE_END = 2; // bytes behind the content of an HTTP chunk
const STREAM = 'text/event-stream; charset=utf-8';

function head(asked, status, type, more) {
  asked.call.status = status;
  asked.res.writeHead(status, { 'content-type': type, ...asked.dialect.heads(asked.call.seq), ...more });
}

export function sendJson(asked, status, text, more) {
  head(asked, status, 'application/json', { 'content-length': Buffer.byteLength(text), ...more });
  asked.res.end(text);
}

/** Any bytes of any type, as a whole answer. */
export function sendData(asked, type, data) {
  head(asked, 200, type, { 'content-length': Buffer.byteLength(data) });
  asked.res.end(data);
}

export function sendError(asked, status, body, more = {}) {
  sendJson(asked, status, JSON.stringify(body), more);
}

const PAGE = '<!doctype html><html><body>Please stand by.</body></html>';
const GARBLED = Buffer.from('data: {"id":"chatcmpl-\n\n');
const HUM = Buffer.from(': still there\n\n');

/** Sends what is no answer, if the plan says so: whether it does. */
function sendNothing(asked, plan, streamed) {
  if (plan.page) sendData(asked, 'text/html', PAGE);
  else if (plan.errbody) sendData(asked, 'application/json', JSON.stringify(asked.dialect.fault(503)));
  else if (plan.empty) sendData(asked, streamed ?? 'application/json', '');
  else if (plan.blank && streamed === null) sendData(asked, 'application/json', '{}');
  else return false;
  return true;
}

/** A whole answer, `usage` what it tells. */
export function sendWhole(asked, plan, text, usage = null, type = 'application/json') {
  if (sendNothing(asked, plan, null)) return undefined;
  if (plan.cut === null && plan.stall === null && !plan.badjson) {
    asked.call.usage = usage;
    return sendData(asked, type, text);
  }
  const bytes = Buffer.from(text);
  const half = bytes.subarray(0, bytes.length >> 1);
  if (plan.badjson) return sendData(asked, type, half);
  head(asked, 200, type, { 'content-length': bytes.length });
  return asked.res.write(half, () => {
    if (plan.cut === null) return;
    asked.call.cut = true;
    asked.res.socket?.resetAndDestroy();
  });
}

/** A streamed answer: `parts` as a dialect makes them, with `thought` and `usage`. */
export function sendParts(asked, plan, parts) {
  if (sendNothing(asked, plan, parts.type ?? STREAM)) return undefined;
  if (plan.byte !== null) return sendBytes(asked, plan, parts);
  return plan.split ? sendSplit(asked, plan, parts) : sendStream(asked, plan, parts);
}

/**
 * Sends `plan.byte` bytes of the answer, its head included, and closes the connection as one that broke: without a reset, so that they
 * arrive. Of a stream a chunk counts as sent when its event is.
 */
export function sendBytes({ call, res }, plan, { text, type, opening, contents = [], tail, spare, usage, thought = 0 }) {
  const { socket } = res;
  const [kind, length] = text === undefined
    ? [type ?? 'text/event-stream', 'transfer-encoding: chunked'] : ['application/json', `content-length: ${Buffer.byteLength(text)}`];
  const head = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: ${kind}\r\n${length}\r\n\r\n`);
  const content = text === undefined ? [opening, ...contents, tail, Buffer.from('0\r\n\r\n')] : [Buffer.from(text)];
  const bytes = Buffer.concat([head, ...content]);
  call.status = 200;
  call.cut = true;
  let end = head.length + content[0].length; // in the end: of what tells the usage
  if (text === undefined) {
    call.chunks = contents.filter((frame) => (end += frame.length) - LINE_END <= plan.byte).length;
    call.completion_tokens = call.chunks + thought;
    end += tail.length - LINE_END - spare;
  }
  if (plan.byte >= end) call.usage = usage;
  socket.end(bytes.subarray(0, plan.byte), () => socket.destroy());
}

/** Writes one frame per turn of the event loop (or per `delay`), and no faster than the reader takes them. */
function sendStream(asked, plan, parts) {
  const { res, call } = asked;
  const { socket } = res;
  const { opening, contents, thought } = parts;
  const until = lastChunk(plan, contents);
  head(asked, 200, parts.type ?? STREAM, { 'cache-control': 'no-cache' });
  socket.cork();
  res.flushHeaders();
  let hums = plan.hum;
  if (plan.garble) socket.write(framed(GARBLED));
  if (plan.blank) return end(asked, framed(Buffer.from(LAST_WORD)));
  if (hums === 0) open(socket, plan, until, opening);
  socket.uncork();
  const step = () => {
    if (res.destroyed) return;
    if (hums > 0) {
      socket.write(framed(HUM));
      hums -= 1;
      if (hums === 0) open(socket, plan, until, opening);
      later(socket, plan.delay, step);
      return;
    }
    if (call.chunks === until) {
      finishStream(asked, plan, parts);
      return;
    }
    socket.write(contents[call.chunks]);
    call.chunks += 1;
    call.completion_tokens = call.chunks + thought;
    later(socket, plan.delay, step);
  };
  later(socket, plan.delay, step);
}

const LAST_WORD = 'data: [DONE]\n\n';

/** Writes the opening, unless the fault comes first. */
function open(socket, plan, until, opening) {
  if (until > 0 || plan.opened || !isFaulty(plan)) socket.write(opening);
}

function end({ res }, tail) {
  res.socket.write(tail);
  res.end();
  res.socket.uncork();
}

const isFaulty = (plan) => plan.cut !== null || plan.stall !== null || plan.err !== null;
const lastChunk = (plan, contents) => Math.min(plan.cut ?? Infinity, plan.stall ?? Infinity, plan.err ?? Infinity, contents.length);

function later(socket, delay, step) {
  if (socket.writableNeedDrain) socket.once('drain', step);
  else if (delay) setTimeout(step, delay);
  else setImmediate(step);
}

function finishStream(asked, plan, { tail, usage, error }) {
  const { res, call, journal } = asked;
  const { socket } = res;
  journal.changed();
  if (plan.cut !== null) {
    call.cut = true;
    socket.write('', () => socket.resetAndDestroy());
  } else if (plan.stall === null) {
    if (plan.err === null) call.usage = usage;
    socket.cork();
    socket.write(plan.err === null ? tail : framed(error(call.chunks)));
    res.end();
    socket.uncork();
  }
}

/** The same bytes in pieces of `plan.split`, each its own write and its own HTTP chunk. */
function sendSplit(asked, plan, parts) {
  const { opening, contents, tail, thought } = parts;
  const { res, call } = asked;
  const { socket } = res;
  const until = lastChunk(plan, contents);
  const events = [opening, ...contents.slice(0, until), ...(isFaulty(plan) ? [] : [tail])].map((frame) => unframed(frame));
  const bytes = Buffer.concat(events);
  let end = events[0].length;
  const ends = events.slice(1, 1 + until).map((event) => (end += event.length));
  let at = 0;
  head(asked, 200, parts.type ?? STREAM, { 'cache-control': 'no-cache' });
  res.flushHeaders();
  const step = () => {
    if (res.destroyed) return;
    if (at < bytes.length) {
      socket.write(framed(bytes.subarray(at, at + plan.split)));
      at += plan.split;
      while (ends[call.chunks] <= at) call.chunks += 1;
      call.completion_tokens = call.chunks + thought;
      later(socket, plan.delay, step);
    } else if (isFaulty(plan)) finishStream(asked, plan, parts);
    else {
      call.usage = parts.usage;
      res.end();
    }
  };
  step();
}
