// The gateway of dialects.mjs for the tests in Python: prints one line of JSON with its address and a key, and stops when its standard
// input ends.

import { PROVIDERS, SAID, startDialects } from './dialects.mjs';

const { world, tenant } = await startDialects();
console.log(JSON.stringify({ url: world.url, key: tenant.key, providers: Object.keys(PROVIDERS), said: SAID }));

process.stdin.resume();
process.stdin.on('end', () => world.stop());
