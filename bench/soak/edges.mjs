// The provider of what the scripted one has no words for: giant answers, usages that cannot be true, runs behind their answer, and native
// calls. It records each call as the scripted provider does, with what it told of its use to the end.

import { createServer } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const MIB = 1_024 * 1_024;
/** Where native calls go, by the name of their kind. */
export const PREFIX = '/edge/';
const PIECES = 8;
const RUN_LOOKS = 2; // a run has ended when it is looked at once more
const RUN_USAGE = { prompt_tokens: 700, completion_tokens: 60 };
const NATIVE_USAGE = { prompt_tokens: 7, completion_tokens: 5_000 };
const EVENT_BYTES = 6 * MIB;
const GIANT_USAGE = { prompt_tokens: 31, completion_tokens: 17 };
const FAT = 'a'.repeat(60_000);
const FAT_TOKENS = 15_000;

/** Usages by the name of their kind: as it stands in an answer, and the rule of its bill; `told` is what is true of it. */
export const USAGES = {
  'usage-huge': { json: '{"prompt_tokens":1000000000000,"completion_tokens":1000000000000,"total_tokens":2000000000000}', bill: 'bounded' },
  'usage-overflow': { json: '{"prompt_tokens":18446744073709551616,"completion_tokens":18446744073709551616,"total_tokens":3}', bill: 'bounded' },
  'usage-negative': { json: '{"prompt_tokens":-5,"completion_tokens":-10,"total_tokens":-15}', bill: 'counted' },
  // A total above its parts is of what was thought, for some providers; one below them means nothing.
  'usage-lies': { json: '{"prompt_tokens":20,"completion_tokens":10,"total_tokens":7000000}', bill: 'bounded' },
  'usage-short': { json: '{"prompt_tokens":20,"completion_tokens":10,"total_tokens":3}', bill: 'told', told: { prompt_tokens: 20, completion_tokens: 10 } },
};

const usageJson = ({ prompt_tokens: input, completion_tokens: output }) =>
  `{"prompt_tokens":${input},"completion_tokens":${output},"total_tokens":${input + output}}`;
const nativeJson = JSON.stringify({ input_tokens: NATIVE_USAGE.prompt_tokens, output_tokens: NATIVE_USAGE.completion_tokens });
const chunk = (delta, finish = 'null') => `data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":${delta},"finish_reason":${finish}}]}\n\n`;
const piece = (text) => chunk(`{"content":${JSON.stringify(text)}}`);
const tail = (usage) => `${chunk('{}', '"stop"')}data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":${usage}}\n\ndata: [DONE]\n\n`;

/** Writes and waits until there is room again; whether there is still somebody. */
async function write(res, bytes) {
  if (res.destroyed) return false;
  if (!res.write(bytes)) {
    await new Promise((resolve) => {
      const go = () => {
        res.off('drain', go).off('close', go);
        resolve();
      };
      res.on('drain', go).on('close', go);
    });
  }
  return !res.destroyed;
}

const head = (call, type) => {
  call.record.status = 200;
  call.res.writeHead(200, { 'content-type': type });
};

/** Ends an answer that told `usage`: it counts as told once all of it has left. */
function end({ res, record }, text, usage) {
  res.once('finish', () => { record.usage = usage; });
  res.end(text);
}

// ---- chat -------------------------------------------------------------------------------------------------------------------

async function streamed(call, pieces, usage, told, silence = 0) {
  head(call, 'text/event-stream');
  call.res.write(chunk('{"role":"assistant","content":""}'));
  for (const [at, text] of pieces.entries()) {
    if (silence > 0 && at === pieces.length >> 1) await pause(silence);
    if (!(await write(call.res, piece(text)))) return;
    call.record.chunks += 1;
  }
  end(call, tail(usage), told);
}

async function whole(call, parts, usage, told) {
  head(call, 'application/json');
  call.res.write('{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"');
  for (const part of parts) if (!(await write(call.res, part))) return;
  end(call, `"}}],"usage":${usage}}`, told);
}

function* repeated(part, times) {
  for (let at = 0; at < times; at += 1) yield part;
}

function chat(call, { model, stream }) {
  const [, streams, mib] = /^giant-(stream-)?(\d+)/.exec(model) ?? [];
  if (mib && streams) {
    const pieces = Array(Math.ceil((mib * MIB) / FAT.length)).fill(FAT);
    const usage = { prompt_tokens: 31, completion_tokens: pieces.length * FAT_TOKENS };
    return streamed(call, pieces, usageJson(usage), usage);
  }
  if (mib) return whole(call, repeated('a'.repeat(MIB), Number(mib)), usageJson(GIANT_USAGE), GIANT_USAGE);
  const said = Array(PIECES).fill('word ');
  if (model === 'pausing') return streamed(call, said, usageJson(GIANT_USAGE), GIANT_USAGE, 2_500);
  const { json, told = null } = USAGES[model];
  return stream ? streamed(call, said, json, told) : whole(call, said, json, told);
}

// ---- runs behind their answer -------------------------------------------------------------------------------------------------

function responseOf(id, { model, looks }) {
  const ended = looks > RUN_LOOKS;
  const { prompt_tokens: input_tokens, completion_tokens: output_tokens } = RUN_USAGE;
  const usage = ended ? { input_tokens, output_tokens, total_tokens: input_tokens + output_tokens } : null;
  return { ended, text: JSON.stringify({ id, object: 'response', status: ended ? 'completed' : 'queued', background: true, model, output: [], usage }) };
}

function begin(call, { model }, runs) {
  const id = `resp_${String(runs.size + 1).padStart(12, '0')}`;
  const run = { model, looks: 0, record: call.record };
  runs.set(id, run);
  head(call, 'application/json');
  call.res.end(responseOf(id, run).text);
}

/** What a look tells of the end of a run is the usage of the call that began it. */
function look(call, id, runs) {
  const run = runs.get(id);
  run.looks += 1;
  const { ended, text } = responseOf(id, run);
  head(call, 'application/json');
  if (ended) call.res.once('finish', () => { run.record.usage = RUN_USAGE; });
  call.res.end(text);
}

// ---- native calls -------------------------------------------------------------------------------------------------------------

const NATIVE = {
  'native-told': (call) => {
    head(call, 'application/json');
    end(call, `{"data":"QUJD","usage":${nativeJson}}`, NATIVE_USAGE);
  },
  'native-event': async (call) => {
    head(call, 'text/event-stream');
    if (await write(call.res, `data: {"b64_json":"${'QUJD'.repeat(EVENT_BYTES / 4)}",`)) end(call, `"usage":${nativeJson}}\n\n`, NATIVE_USAGE);
  },
  'native-left': async (call) => {
    head(call, 'text/event-stream');
    call.res.write('data: {"audio":"QUJD","content":"x"}\n\n');
    for (let beat = 0; beat < 5; beat += 1) {
      await pause(100);
      call.res.write(': still here\n\n');
    }
    end(call, `data: {"type":"done","usage":${nativeJson}}\n\n`, NATIVE_USAGE);
  },
  'native-untold': (call) => {
    head(call, 'audio/wav');
    end(call, 'RIFF', null);
  },
  'native-cut': (call) => {
    head(call, 'application/json');
    call.res.write('{"text":"hello",', () => call.res.socket?.resetAndDestroy());
  },
};
NATIVE['native-upload'] = NATIVE['native-told'];

// ---- the server ---------------------------------------------------------------------------------------------------------------

async function answer(call, runs) {
  const { req, res } = call;
  const id = /^\/v1\/responses\/(\w+)$/.exec(req.url)?.[1];
  const kind = req.url.startsWith(`/v1${PREFIX}`) ? req.url.slice(PREFIX.length + 3) : null;
  call.record.model = kind ?? (id === undefined ? null : 'look'); // a client may leave amid its request
  let parts = [];
  for await (const part of req) if (kind === null) parts.push(part);
  if (id !== undefined) return look(call, id, runs);
  if (kind !== null) return NATIVE[kind](call);
  const body = JSON.parse(Buffer.concat(parts));
  parts = [];
  call.record.model = body.model;
  if (req.url === '/v1/responses') return begin(call, body, runs);
  if (req.url === '/v1/chat/completions') return chat(call, body);
  return res.writeHead(404).end();
}

/** Starts it: { url, stats, stop() }. `onEnd` gets the record of each call when it is over. */
export async function startEdges({ onEnd }) {
  const stats = { requests: 0 };
  const runs = new Map();
  const server = createServer({ keepAliveTimeout: 600_000, requestTimeout: 0 }, (req, res) => {
    stats.requests += 1;
    const record = { call: req.headers['x-client-request-id'] ?? null, model: null, status: 0, chunks: 0, usage: null, completed: false, cut: false };
    res.on('error', () => {});
    res.on('close', () => {
      record.completed = res.writableFinished;
      onEnd(record);
    });
    answer({ req, res, record }, runs).catch(() => res.destroy()); // its client has left amid the request
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stats,
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}
