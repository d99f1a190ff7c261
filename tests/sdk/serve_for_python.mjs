// A gateway with a scripted provider for the tests in Python: prints one line of JSON with its address and the keys of its tenants, and
// stops when its standard input ends.

import { startWorld } from '../http/support.mjs';

const world = await startWorld();
await world.catalog({ chat: 'c10', utf8: 'c24-utf8', weather: 'tool', embed: 'embed', failing: 'fail500', nowhere: 'fail400', cut: 'c10-d20-cut4' });
const rate = (window, max) => ({ name: 'requests', what: 'requests', window, max });
const keys = {};
for (const [name, limits] of Object.entries({
  plain: [rate('60s', 1_000), { name: 'tokens', what: 'tokens', window: '60s', max: 1_000_000 }],
  capped: [
    { name: 'budget', what: 'cost', window: 'month', max: '5' },
    { name: 'tokens', what: 'tokens', window: '60s', max: 1_000_000 },
    { name: 'busy', what: 'concurrency', max: 2 },
  ],
  exhausted: [{ name: 'budget', what: 'cost', window: 'lifetime', max: '0' }],
  once_a_day: [rate('day', 1)],
  every_2_seconds: [rate('2s', 1)],
})) keys[name] = (await world.tenant({ limits })).key;
const small = [{ name: 'small', what: 'output_tokens', window: 'day', max: 12 }];
keys.rejecting = (await world.tenant({ limits: small, on_shortfall: 'reject' })).key;
console.log(JSON.stringify({ base_url: `${world.url}/v1`, provider_url: `${world.provider.url}/v1`, keys }));

process.stdin.resume();
process.stdin.on('end', () => world.stop());
