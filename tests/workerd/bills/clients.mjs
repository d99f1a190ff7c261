// Clients that send jobs over so many connections, and leave where a job says so.

import { Agent, request } from 'node:http';

export class Clients {
  #url;
  #keys;
  #agent;
  #connections;
  #reached;
  #done = new Map();
  #nameless = 0;

  /** `reached(mark)` resolves once the provider has the call with that mark. */
  constructor(url, keys, connections, reached) {
    this.#url = `${url}/v1/chat/completions`;
    this.#reached = reached;
    this.#keys = keys;
    this.#connections = connections;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, noDelay: true });
  }

  /**
   * Sends every job once; what became of each call by its name: { kind, status, pieces (of content that came), original
   * (the call whose answer it was given) }.
   */
  async run(jobs) {
    let next = 0;
    const client = async () => {
      for (let nth = next++; nth < jobs.length; nth = next++) await this.#send(jobs[nth]);
    };
    await Promise.all(Array.from({ length: this.#connections }, client));
    this.#agent.destroy();
    return this.#done;
  }

  state() {
    return `${this.#done.size} calls are answered, ${this.#nameless} had no answer`;
  }

  #send({ kind, body, pieces, caller, name, mark }) {
    const key = this.#keys[caller % this.#keys.length];
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    if (name) headers['idempotency-key'] = name;
    return new Promise((resolve, reject) => {
      const sent = request(this.#url, { method: 'POST', agent: this.#agent, headers }, (response) => {
        const call = response.headers['x-request-id'];
        const original = response.headers['x-tollgate-original-request-id'] ?? null;
        const seen = { kind, status: response.statusCode, pieces: 0, original };
        this.#done.set(call, seen);
        response.on('data', (part) => {
          seen.pieces += part.toString('latin1').split('"delta":{"content":"').length - 1;
          if (kind === 'left' && seen.pieces >= pieces) sent.destroy();
        });
        response.on('error', () => {}); // its close is what counts
        response.on('close', () => {
          if (response.complete || kind === 'left') resolve();
          else reject(new Error(`the answer to ${call} (${kind}) broke off`));
        });
      });
      sent.on('error', (error) => {
        if (kind !== 'left-whole') return reject(error);
        this.#nameless += 1;
        return resolve();
      });
      if (kind === 'left-whole') this.#reached(mark).then(() => sent.destroy());
      sent.end(body);
    });
  }
}
