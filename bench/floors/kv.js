// Floor: the rate limiter every tutorial shows. The key and a counter per minute live in KV: read, compare, write.
// Two requests at once read the same count, so the limit is passed by a race.
export default {
  async fetch(request, env) {
    const key = request.headers.get('authorization')?.replace(/^Bearer /, '');
    if (!key) return Response.json({ error: { message: 'no key' } }, { status: 401 });
    const limit = Number(await env.KV.get(`key:${key}`));
    if (!limit) return Response.json({ error: { message: 'unknown key' } }, { status: 401 });

    const counter = `count:${key}:${Math.floor(Date.now() / 60_000)}`;
    const used = Number(await env.KV.get(counter)) || 0;
    if (used >= limit) return Response.json({ error: { message: 'rate limit exceeded' } }, { status: 429, headers: { 'retry-after': '60' } });
    await env.KV.put(counter, String(used + 1), { expirationTtl: 120 });

    const { pathname, search } = new URL(request.url);
    return fetch(new Request(env.UPSTREAM + pathname + search, request));
  },
};
