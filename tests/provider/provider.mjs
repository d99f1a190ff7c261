// The scripted provider: an OpenAI-compatible HTTP server on loopback whose every answer, fault and token count is scripted.
//
//   const provider = await startProvider({ port: 0 });
//   provider.url            http://127.0.0.1:PORT (base URL for a catalog: + /v1)
//   provider.calls()        records of the calls seen; also .stats(), .until((calls, stats) => …), .script(model, steps), .reset()
//   await provider.stop()
//
// The same over HTTP: GET /__calls[?model=&call=&raw=1], GET /__stats, POST /__script {model, steps}, POST /__quiet {quiet}, POST /__reset.
// script.mjs lists the words that steer a call.

import { createServer } from 'node:http';
import { compose, completion, embeddings, inputsOf, modelOf, models, stream, framed, unframed, usageOf } from './answer.mjs';
import { Journal } from './journal.mjs';
import { Director, errorBody, invalid } from './script.mjs';

const KEEP_ALIVE_MS = 600_000;
const BACKLOG = 4_096;
const LINE_END = 2; // bytes behind the content of an HTTP chunk

export async function startProvider({ port = 0 } = {}) {
  const journal = new Journal();
  const director = new Director();
  const state = { journal, director };
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0, noDelay: true }, (req, res) => receive(state, req, res));
  server.headersTimeout = 0;
  server.on('connection', (socket) => {
    journal.stats.connections += 1;
    journal.stats.open += 1;
    socket.on('close', () => {
      journal.stats.open -= 1;
      journal.changed();
    });
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', BACKLOG, resolve));
  return {
    port: server.address().port,
    url: `http://127.0.0.1:${server.address().port}`,
    calls: () => journal.calls(),
    stats: () => ({ ...journal.stats }),
    until: (holds) => journal.until(holds),
    script: (model, steps) => director.queue(model, [steps].flat()),
    quiet: (quiet = true) => { journal.quiet = quiet; },
    reset: () => reset(state),
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}

function reset({ journal, director }) {
  journal.reset();
  director.reset();
}

function receive(state, req, res) {
  if (req.method === 'GET' || req.method === 'HEAD') return route(state, req, res, Buffer.alloc(0));
  let first = null;
  let rest = null;
  req.on('data', (part) => {
    if (first === null) first = part;
    else (rest ??= [first]).push(part);
  });
  req.on('end', () => route(state, req, res, rest ? Buffer.concat(rest) : first ?? Buffer.alloc(0)));
}

function route(state, req, res, raw) {
  const mark = req.url.indexOf('?');
  const path = mark < 0 ? req.url : req.url.slice(0, mark);
  if (path.startsWith('/__')) return control(state, req, res, path, raw);
  const { stats } = state.journal;
  const call = state.journal.begin(req, req.url);
  const asked = { ...state, req, res, call, raw };
  res.on('close', () => state.journal.end(call, res.writableFinished, stats));
  if (req.method === 'GET' && path === '/v1/models') return sendJson(asked, 200, JSON.stringify(models()));
  if (req.method === 'GET' && path.startsWith('/v1/models/')) {
    return sendJson(asked, 200, JSON.stringify(modelOf(decodeURIComponent(path.slice('/v1/models/'.length)))));
  }
  if (req.method === 'POST' && path === '/v1/chat/completions') return answer(asked, 'messages', chat);
  if (req.method === 'POST' && path === '/v1/embeddings') return answer(asked, 'input', embed);
  return sendError(asked, 404, invalid(`Invalid URL (${req.method} ${path})`));
}

// ---- control ----------------------------------------------------------------------------------------------------------------

function control({ journal, director }, req, res, path, raw) {
  const reply = (value, status = 200) => res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  const said = () => JSON.parse(raw.toString() || '{}');
  try {
    switch (`${req.method} ${path}`) {
      case 'GET /__calls': return reply({ calls: chosen(journal, req.url), dropped: journal.dropped });
      case 'GET /__stats': return reply(journal.stats);
      case 'POST /__script': return reply({ queued: director.queue(said().model, said().steps) });
      case 'POST /__quiet': return reply({ quiet: (journal.quiet = said().quiet ?? true) });
      case 'POST /__reset': return reply({ reset: reset({ journal, director }) ?? true });
      default: return reply(invalid(`no such control: ${req.method} ${path}`), 404);
    }
  } catch (error) {
    return reply(invalid(String(error)), 400);
  }
}

function chosen(journal, url) {
  const { searchParams: wanted } = new URL(url, 'http://127.0.0.1');
  const calls = journal.calls().filter((call) => ['model', 'call'].every((field) => !wanted.has(field) || call[field] === wanted.get(field)));
  return wanted.has('raw') ? calls.map((call) => ({ ...call, raw: call.raw?.toString() ?? null })) : calls;
}

// ---- one call ---------------------------------------------------------------------------------------------------------------

function answer(asked, needed, say) {
  const { req, res, call, raw, journal, director } = asked;
  let body = null;
  try {
    body = JSON.parse(raw.toString());
  } catch {
    // told below
  }
  journal.body(call, body, raw);
  if (body === null || typeof body !== 'object') {
    return sendError(asked, 400, invalid('We could not parse the JSON body of your request.'));
  }
  if (typeof body.model !== 'string') return sendError(asked, 400, invalid('you must provide a model parameter'));
  call.model = body.model;
  if (body[needed] === undefined) return sendError(asked, 400, invalid(`Missing required parameter: '${needed}'.`, needed));
  const plan = director.plan(body.model, req.headers['x-script'], body.metadata?.script);
  if (plan.hang) return undefined;
  if (plan.reset) {
    call.cut = true;
    return res.socket.resetAndDestroy();
  }
  const speak = () => {
    if (res.destroyed) return undefined;
    const failure = director.failure(plan);
    return failure ? sendError(asked, failure, errorBody(failure, plan), plan.retryAfter) : say(asked, plan, body);
  };
  return plan.latency ? setTimeout(speak, plan.latency) : speak();
}

function chat(asked, plan, body) {
  const { call } = asked;
  const said = compose(plan, body);
  const created = Math.floor(Date.now() / 1000);
  call.prompt_tokens = said.prompt;
  const usage = usageOf(said);
  if (body.stream === true) {
    const tells = body.stream_options?.include_usage === true;
    const parts = { ...stream(said, tells, call.seq, created), thought: said.thought, usage: tells && !plan.nousage ? usage : null };
    if (plan.byte !== null) return sendBytes(asked, plan, parts);
    return plan.split ? sendSplit(asked, plan, parts) : sendStream(asked, plan, parts);
  }
  call.completion_tokens = usage.completion_tokens;
  const text = completion(said, call.seq, created);
  const told = plan.nousage ? null : usage;
  if (plan.byte !== null) return sendBytes(asked, plan, { text, usage: told });
  return sendWhole(asked, plan, text, told);
}


function embed(asked, plan, body) {
  if (!Array.isArray(inputsOf(body.input)) || body.input.length === 0) return sendError(asked, 400, invalid("'$.input' is invalid.", 'input'));
  const made = embeddings(plan, body);
  asked.call.prompt_tokens = made.tokens;
  return sendWhole(asked, plan, made.body);
}

// ---- sending ----------------------------------------------------------------------------------------------------------------

function head(asked, status, type, more) {
  asked.call.status = status;
  asked.res.writeHead(status, {
    'content-type': type, 'x-request-id': `req_${asked.call.seq}`,
    'openai-organization': 'scripted', 'openai-version': '2020-10-01', 'openai-processing-ms': '1', ...more,
  });
}

function sendJson(asked, status, text, more) {
  head(asked, status, 'application/json', { 'content-length': Buffer.byteLength(text), ...more });
  asked.res.end(text);
}

function sendError(asked, status, body, retryAfter = null) {
  sendJson(asked, status, JSON.stringify(body), retryAfter === null ? {} : { 'retry-after': String(retryAfter) });
}

function sendWhole(asked, plan, text, usage = null) {
  if (plan.cut === null && plan.stall === null && !plan.badjson) {
    asked.call.usage = usage;
    return sendJson(asked, 200, text);
  }
  const bytes = Buffer.from(text);
  const half = bytes.subarray(0, bytes.length >> 1);
  if (plan.badjson) return sendJson(asked, 200, half);
  head(asked, 200, 'application/json', { 'content-length': bytes.length });
  return asked.res.write(half, () => {
    if (plan.cut === null) return;
    asked.call.cut = true;
    asked.res.socket?.resetAndDestroy();
  });
}

/**
 * Sends `plan.byte` bytes of the answer, its head included, and closes the connection as one that broke: without a reset, so that they
 * arrive. Of a stream a chunk counts as sent when its event is.
 */
function sendBytes({ call, res }, plan, { text, opening, contents = [], tail, usage, thought = 0 }) {
  const { socket } = res;
  const [type, length] = text === undefined
    ? ['text/event-stream', 'transfer-encoding: chunked'] : ['application/json', `content-length: ${Buffer.byteLength(text)}`];
  const head = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n${length}\r\n\r\n`);
  const content = text === undefined ? [opening, ...contents, tail, Buffer.from('0\r\n\r\n')] : [Buffer.from(text)];
  const bytes = Buffer.concat([head, ...content]);
  call.status = 200;
  call.cut = true;
  let end = head.length + content[0].length; // in the end: of what tells the usage
  if (text === undefined) {
    call.chunks = contents.filter((frame) => (end += frame.length) - LINE_END <= plan.byte).length;
    call.completion_tokens = call.chunks + thought;
    const done = tail.indexOf('data: [DONE]');
    end += done < 0 ? tail.length - LINE_END : done;
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
  head(asked, 200, 'text/event-stream; charset=utf-8', { 'cache-control': 'no-cache' });
  socket.cork();
  res.flushHeaders();
  if (until > 0 || !isFaulty(plan)) socket.write(opening);
  socket.uncork();
  const step = () => {
    if (res.destroyed) return;
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

const isFaulty = (plan) => plan.cut !== null || plan.stall !== null || plan.err !== null;
const lastChunk = (plan, contents) => Math.min(plan.cut ?? Infinity, plan.stall ?? Infinity, plan.err ?? Infinity, contents.length);

function later(socket, delay, step) {
  if (socket.writableNeedDrain) socket.once('drain', step);
  else if (delay) setTimeout(step, delay);
  else setImmediate(step);
}

function finishStream(asked, plan, { tail, usage }) {
  const { res, journal } = asked;
  const { socket } = res;
  journal.changed();
  if (plan.cut !== null) {
    asked.call.cut = true;
    socket.write('', () => socket.resetAndDestroy());
  } else if (plan.stall === null) {
    if (plan.err === null) asked.call.usage = usage;
    socket.cork();
    socket.write(plan.err === null ? tail : framed(`data: ${JSON.stringify(errorBody(500))}\n\n`));
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
  head(asked, 200, 'text/event-stream; charset=utf-8', { 'cache-control': 'no-cache' });
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
