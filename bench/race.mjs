// The admission race: 1,000 requests at once against a limit of 100 in 60 s. Who lets through how many?

import { startFloor } from './floors.mjs';

export const RACERS = 1_000;
export const LIMIT = 100;

async function burst(loader, provider, { url, key, model = 'c10' }) {
  const before = await provider.requests();
  const result = await loader.load({
    url: `${url}/v1/chat/completions`, burst: RACERS, headers: { authorization: `Bearer ${key}` },
    body: { model, messages: [{ role: 'user', content: 'hi' }], max_tokens: 20 },
  });
  const { 200: admitted = 0, 429: refused = 0 } = result.statuses;
  const other = RACERS - admitted - refused;
  return { admitted, refused, other, reached: (await provider.requests()) - before, statuses: result.statuses, errors: result.errors };
}

/** Each contestant's bursts; Tollgate gets a fresh tenant and key each time, the floors a fresh state. */
export async function race({ loader, provider, tollgate, state, bursts, say }) {
  const results = {};
  for (const name of ['kv', 'sqlite']) {
    results[name] = [];
    for (let nth = 0; nth < bursts; nth += 1) {
      const floor = await startFloor(name, { upstream: provider.url, state: `${state}/race-${name}-${nth}`, limit: LIMIT });
      results[name].push(await burst(loader, provider, floor));
      await floor.stop();
    }
    say(`race: ${name} admitted ${results[name].map(({ admitted }) => admitted).join(', ')}`);
  }
  if (!tollgate) return results;
  results.tollgate = [];
  for (let nth = 0; nth < bursts; nth += 1) {
    const key = await tollgate.limitedKey(`race-${nth}`, LIMIT);
    results.tollgate.push(await burst(loader, provider, { ...tollgate, key }));
  }
  say(`race: tollgate admitted ${results.tollgate.map(({ admitted }) => admitted).join(', ')}`);
  return results;
}
