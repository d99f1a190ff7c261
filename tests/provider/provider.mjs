// The scripted provider: an HTTP server on loopback that speaks the vendors' wire formats, and whose every answer, fault and token count is scripted.
//
//   const provider = await startProvider({ port: 0 });
//   provider.url            http://127.0.0.1:PORT (base URL for a catalog: + /v1)
//   provider.calls()        records of the calls seen; also .stats(), .until((calls, stats) => …), .script(model, steps), .trust(google), .reset()
//   await provider.stop()
//
// The same over HTTP: GET /__calls[?model=&call=&raw=1], GET /__stats, POST /__script {model, steps}, POST /__quiet {quiet}, POST /__reset,
// POST /__google {public_key, email, expires_in}: whose claims POST /token takes.
// script.mjs lists the words that steer a call, routes.mjs the endpoints.

import { createServer } from 'node:http';
import { Journal } from './journal.mjs';
import { invalid } from './dialects/openai.mjs';
import { Store } from './files.mjs';
import { GoogleKeys } from './keys/google.mjs';
import { find } from './routes.mjs';
import { Director } from './script.mjs';
import { sendBytes, sendError, sendParts, sendWhole } from './send.mjs';

const KEEP_ALIVE_MS = 600_000;
const BACKLOG = 4_096;

/** `onEnd` gets the record of each call when it is over, also when calls are not recorded. */
export async function startProvider({ port = 0, onEnd } = {}) {
  const journal = new Journal(onEnd);
  const director = new Director();
  const state = { journal, director, google: new GoogleKeys(), store: new Store() };
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
    trust: (google) => state.google.trust(google),
    reset: () => reset(state),
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}

function reset(state) {
  for (const part of Object.values(state)) part.reset();
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
  const found = find(req.method, path, mark < 0 ? '' : req.url.slice(mark));
  const { dialect } = found;
  call.dialect = dialect.name ?? null;
  const asked = { ...state, req, res, call, raw, route: found, dialect };
  res.on('close', () => state.journal.end(call, res.writableFinished, stats));
  if (found.serve) return found.serve(asked);
  if (dialect.say || dialect.answer) return answer(asked);
  return sendError(asked, 404, dialect.refuse(404, `Invalid URL (${req.method} ${path})`, null, call.seq));
}

// ---- control ----------------------------------------------------------------------------------------------------------------

function control(state, req, res, path, raw) {
  const { journal, director, google } = state;
  const reply = (value, status = 200) => res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  const said = () => JSON.parse(raw.toString() || '{}');
  try {
    switch (`${req.method} ${path}`) {
      case 'GET /__calls': return reply({ calls: chosen(journal, req.url), dropped: journal.dropped });
      case 'GET /__stats': return reply(journal.stats);
      case 'POST /__script': return reply({ queued: director.queue(said().model, said().steps) });
      case 'POST /__quiet': return reply({ quiet: (journal.quiet = said().quiet ?? true) });
      case 'POST /__google': return reply({ trusted: google.trust(said()) });
      case 'POST /__reset': return reply({ reset: reset(state) ?? true });
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

function answer(asked) {
  const { req, res, call, raw, route, dialect, director } = asked;
  const { body, wrong, heard } = hear(asked);
  if (wrong) {
    return sendError(asked, wrong.status, wrong.body ?? dialect.refuse(wrong.status, wrong.message, wrong.param ?? null, call.seq),
      wrong.headers ?? dialect.faultHeads?.(wrong.status));
  }
  const plan = director.plan(heard.model, req.headers['x-script'], heard.own);
  if (plan.hang) return undefined;
  if (plan.reset) {
    call.cut = true;
    return res.socket.resetAndDestroy();
  }
  const speak = () => {
    if (res.destroyed) return undefined;
    const failure = director.failure(plan);
    if (failure) return fail(asked, plan, failure);
    if (plan.filter && dialect.filtered) return sendError(asked, 400, dialect.filtered);
    const who = { seq: call.seq, created: Math.floor(Date.now() / 1000), tells: heard.tells, heard, body, route, raw };
    return dialect.say ? say(asked, plan, who) : tell(asked, plan, who);
  };
  return plan.latency ? setTimeout(speak, plan.latency) : speak();
}

/** The body of a request, what is heard of it, or what is wrong with it. */
function hear({ req, call, raw, route, dialect, journal, google }) {
  let body = null;
  try {
    body = dialect.read ? dialect.read(raw, req) : JSON.parse(raw.toString());
  } catch {
    // told below
  }
  journal.body(call, body, raw);
  if (body === null || typeof body !== 'object') return { wrong: { status: 400, message: 'We could not parse the JSON body of your request.' } };
  const model = route.model ?? body.model ?? dialect.model;
  if (typeof model === 'string') call.model = model;
  const unknown = dialect.admit?.({ req, raw, route, google, body });
  if (unknown) return { wrong: unknown };
  if (typeof model !== 'string') return { wrong: { status: 400, message: 'you must provide a model parameter' } };
  if (dialect.needs && body[dialect.needs] === undefined) {
    return { wrong: { status: 400, message: `Missing required parameter: '${dialect.needs}'.`, param: dialect.needs } };
  }
  const wrong = dialect.check?.(body, route, req);
  if (wrong) return { wrong };
  try {
    return { body, heard: dialect.hear(body, { ...route, model }, req.headers) };
  } catch (error) {
    return { wrong: { status: 400, message: `The request could not be read: ${error.message}` } };
  }
}

/** The headers that ask to be left alone for so many seconds, in the form of the plan. */
function waitOf(plan, seconds) {
  if (plan.inbody) return {};
  if (plan.dated) return { 'retry-after': new Date(Date.now() + seconds * 1_000).toUTCString() };
  if (plan.millis) return { 'retry-after-ms': String(seconds * 1_000) };
  if (plan.resets) return { 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': `0m${seconds}s` };
  return { 'retry-after': String(seconds) };
}

function fail(asked, plan, status) {
  const { dialect, call } = asked;
  const retry = plan.retryAfter === null ? {} : waitOf(plan, plan.retryAfter);
  return sendError(asked, status, dialect.fault(status, plan, call.seq), { ...retry, ...dialect.faultHeads?.(status, plan) });
}

/** Says what the plan says, in the dialect's words. */
function say(asked, plan, who) {
  const { call, dialect } = asked;
  const said = dialect.say(plan, who.heard);
  call.prompt_tokens = said.prompt;
  const usage = dialect.usage(said);
  const told = plan.nousage || !who.tells ? null : usage;
  if (who.heard.streams) {
    const parts = dialect.stream(said, who);
    return sendParts(asked, plan, { ...parts, thought: said.thought, usage: parts.untold ? null : told });
  }
  const text = dialect.whole(said, who);
  call.completion_tokens = said.plan.told ?? said.tokens * said.choices + said.thought;
  if (plan.byte !== null) return sendBytes(asked, plan, { text, usage: told });
  return sendWhole(asked, plan, text, told);
}

/** Answers an endpoint that has one answer: its tokens, what it tells of them, and its body. */
function tell(asked, plan, who) {
  const made = asked.dialect.answer(plan, who.body, who);
  asked.call.prompt_tokens = made.tokens ?? 0;
  asked.call.completion_tokens = made.output ?? 0;
  const text = Buffer.isBuffer(made.body) || typeof made.body === 'string' ? made.body : JSON.stringify(made.body);
  if (made.events) return sendParts(asked, plan, { ...made.events, thought: (made.output ?? 0) - made.events.contents.length, usage: made.usage ?? null });
  return sendWhole(asked, plan, text, made.usage ?? null, made.type);
}
