// Floor: one Durable Object per key, one SQLite write per request, then the provider. Exact for a lifetime count, and no more than that.
import { DurableObject } from 'cloudflare:workers';

export class Counter extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.sql = state.storage.sql;
    this.sql.exec('CREATE TABLE IF NOT EXISTS used (id INTEGER PRIMARY KEY, calls INTEGER NOT NULL)');
  }

  take(limit) {
    const { calls } = this.sql.exec('INSERT INTO used VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET calls = calls + 1 RETURNING calls').one();
    return calls <= limit;
  }
}

export default {
  async fetch(request, env) {
    const key = request.headers.get('authorization')?.replace(/^Bearer /, '');
    if (!key) return Response.json({ error: { message: 'no key' } }, { status: 401 });
    const counter = env.COUNTER.get(env.COUNTER.idFromName(key));
    if (!(await counter.take(Number(env.LIMIT)))) return Response.json({ error: { message: 'over the limit' } }, { status: 429 });
    const { pathname, search } = new URL(request.url);
    return fetch(new Request(env.UPSTREAM + pathname + search, request));
  },
};
