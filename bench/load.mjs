// The load generator: closed-loop HTTP/1.1 over node:net, run in a child process so that its CPU is nobody else's.
//
// Why not autocannon or undici: neither can tell time to the first body byte apart from the answer's end, count the events of a stream,
// and open N connections before sending one request on each; and both cost two to three times the CPU of this small parser.
//
// The parent forks this file and sends { url, headers, body, connections, seconds | requests, burst }; one message with the result comes back.

import { connect } from 'node:net';
import { pathToFileURL } from 'node:url';

const GRACE_MS = 20_000;
const EVENT = Buffer.from('data: ');
const HEAD_END = Buffer.from('\r\n\r\n');
const NOTHING = Buffer.alloc(0);

/** One answer, fed with whatever the socket gives. `done` when the last byte is in. */
class Answer {
  status = 0;
  done = false;
  closes = false;
  bodyBytes = 0;
  firstBodyAt = 0;
  #held = NOTHING;
  #left = 0; // body bytes to come: of the whole (length known) or of this chunk
  #mode = 'head';
  #payload = [];

  feed(bytes, now) {
    let data = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    this.#held = NOTHING;
    if (this.#mode === 'head') {
      const end = data.indexOf(HEAD_END);
      if (end < 0) {
        this.#held = data;
        return;
      }
      this.#readHead(data.latin1Slice(0, end));
      data = data.subarray(end + 4);
    }
    if (this.#mode === 'chunks') this.#readChunks(data, now);
    else this.#readLength(data, now);
  }

  #readHead(head) {
    this.status = (head.charCodeAt(9) - 48) * 100 + (head.charCodeAt(10) - 48) * 10 + head.charCodeAt(11) - 48;
    const length = /\r\ncontent-length: *(\d+)/i.exec(head);
    this.closes = /\r\nconnection: *close/i.test(head);
    this.#left = length ? Number(length[1]) : 0;
    this.#mode = length ? 'length' : 'chunks';
    if (!length && !/\r\ntransfer-encoding: *chunked/i.test(head)) this.#mode = 'length';
  }

  #readLength(data, now) {
    this.#take(data, now);
    this.#left -= data.length;
    this.done = this.#left <= 0;
  }

  #take(data, now) {
    if (data.length === 0) return;
    if (this.firstBodyAt === 0) this.firstBodyAt = now;
    this.bodyBytes += data.length;
    this.#payload.push(data);
  }

  #readChunks(data, now) {
    let at = 0;
    while (at < data.length) {
      if (this.#left > 2) {
        const end = Math.min(data.length, at + this.#left - 2);
        this.#take(data.subarray(at, end), now);
        this.#left -= end - at;
        at = end;
      } else if (this.#left > 0) {
        const end = Math.min(data.length, at + this.#left);
        this.#left -= end - at;
        at = end;
      } else {
        const line = data.indexOf(10, at);
        if (line < 0) break;
        const size = parseInt(data.latin1Slice(at, line), 16);
        if (size === 0) {
          this.done = data.length >= line + 3;
          break;
        }
        at = line + 1;
        this.#left = size + 2;
      }
    }
    if (!this.done && at < data.length) this.#held = data.subarray(at);
  }

  /** The events of the stream: counted at the end, on the joined payload, so that no boundary can hide one. */
  events() {
    const bytes = this.#payload.length === 1 ? this.#payload[0] : Buffer.concat(this.#payload);
    let count = 0;
    for (let at = bytes.indexOf(EVENT); at >= 0; at = bytes.indexOf(EVENT, at + EVENT.length)) count += 1;
    return count;
  }
}

/** What a run adds up to. */
class Tally {
  latencies = [];
  firsts = [];
  statuses = {};
  errors = {};
  events = 0;
  bytes = 0;
  lastAt = 0;

  add(answer, sentAt, now, streamed) {
    this.latencies.push(now - sentAt);
    this.firsts.push((answer.firstBodyAt || now) - sentAt);
    this.statuses[answer.status] = (this.statuses[answer.status] ?? 0) + 1;
    this.bytes += answer.bodyBytes;
    this.lastAt = now;
    if (streamed) this.events += answer.events();
  }

  failed(error) {
    const name = error.code ?? error.message;
    this.errors[name] = (this.errors[name] ?? 0) + 1;
  }

  result(startedAt, cpu) {
    const count = this.latencies.length;
    const seconds = (this.lastAt - startedAt) / 1e3;
    return {
      count, seconds, perSecond: seconds > 0 ? count / seconds : 0, statuses: this.statuses, errors: this.errors,
      events: this.events, bytes: this.bytes, latency: quantiles(this.latencies), first: quantiles(this.firsts),
      loaderMicros: count > 0 ? (cpu.user + cpu.system) / count : 0,
    };
  }
}

/** Quantiles in microseconds of samples in milliseconds. */
function quantiles(samples) {
  const sorted = Float64Array.from(samples).sort();
  const at = (share) => (sorted.length === 0 ? 0 : sorted[Math.round((sorted.length - 1) * share)] * 1e3);
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

function requestBytes({ url, method = 'POST', headers = {}, body }) {
  const { host, pathname, search } = new URL(url);
  const bytes = Buffer.from(body === undefined ? '' : JSON.stringify(body));
  const all = { host, accept: '*/*', 'content-type': 'application/json', 'content-length': bytes.length, ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.concat([Buffer.from(`${method} ${pathname}${search} HTTP/1.1\r\n${lines}\r\n`), bytes]);
}

function dial({ hostname, port }) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** One request on an open connection; settles with the finished answer. The listeners stay from request to request. */
class Line {
  #answer = null;
  #settle = null;

  constructor(socket) {
    this.socket = socket;
    this.open = true;
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('closed')));
  }

  #read(bytes) {
    const answer = this.#answer;
    if (answer === null) return;
    const now = performance.now();
    answer.feed(bytes, now);
    if (!answer.done) return;
    this.#answer = null;
    if (answer.closes) this.socket.destroy();
    this.#settle(null, answer, now);
  }

  #end(error) {
    this.open = false;
    if (this.#answer === null) return;
    this.#answer = null;
    this.#settle(error);
  }

  send(bytes, settle) {
    this.#answer = new Answer();
    this.#settle = settle;
    this.socket.write(bytes);
  }
}

/** Every connection sends its next request when the last one is answered, until the time or the number is up. */
async function closedLoop(job, tally) {
  const bytes = requestBytes(job);
  const where = new URL(job.url);
  const streamed = job.body?.stream === true;
  const lines = await Promise.all(Array.from({ length: job.connections }, async () => new Line(await dial(where))));
  const startedAt = performance.now();
  const stopAt = job.seconds ? startedAt + job.seconds * 1e3 : Infinity;
  let toSend = job.requests ?? Infinity;
  await new Promise((resolve) => {
    let running = lines.length;
    const finish = () => {
      running -= 1;
      if (running > 0) return;
      clearInterval(guard);
      resolve();
    };
    let answeredAt = startedAt;
    const guard = setInterval(() => {
      if (performance.now() - answeredAt > GRACE_MS) lines.forEach((line) => line.socket.destroy(new Error('unanswered')));
    }, 1_000);
    guard.unref();
    const next = (line) => {
      const sentAt = performance.now();
      if (sentAt >= stopAt || toSend <= 0) return finish();
      toSend -= 1;
      return line.send(bytes, (error, answer, now) => {
        answeredAt = now ?? performance.now();
        if (error) tally.failed(error);
        else tally.add(answer, sentAt, now, streamed);
        if (line.open && !line.socket.destroyed) return next(line);
        return dial(where).then((socket) => next(new Line(socket)), (refused) => {
          tally.failed(refused);
          finish();
        });
      });
    };
    lines.forEach(next);
  });
  lines.forEach((line) => line.socket.destroy());
  return startedAt;
}

/** Opens every connection first, then sends one request on each at once. */
async function burst(job, tally) {
  const bytes = requestBytes(job);
  const where = new URL(job.url);
  const lines = await Promise.all(Array.from({ length: job.burst }, async () => new Line(await dial(where))));
  const startedAt = performance.now();
  await Promise.all(lines.map((line) => new Promise((resolve) => {
    line.send(bytes, (error, answer, now) => {
      if (error) tally.failed(error);
      else tally.add(answer, startedAt, now, job.body?.stream === true);
      line.socket.destroy();
      resolve();
    });
  })));
  return startedAt;
}

export async function load(job) {
  const tally = new Tally();
  const before = process.cpuUsage();
  const startedAt = await (job.burst ? burst(job, tally) : closedLoop(job, tally));
  return tally.result(startedAt, process.cpuUsage(before));
}

if (process.send) {
  process.on('message', async (job) => process.send(await load(job)));
  process.on('disconnect', () => process.exit(0));
} else if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.stdout.write(`${JSON.stringify(await load(JSON.parse(process.argv[2])), null, 1)}\n`);
}
