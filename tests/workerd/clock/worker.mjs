// The gateway with a clock that can be set: `PUT /clock` with so many milliseconds to be ahead by.

import gateway from '../../../src/shell/entry.js';

export * from '../../../src/shell/entry.js';

const right = Date.now;
let ahead = 0;
Date.now = () => right() + ahead;

export default {
  async fetch(request, ...rest) {
    if (new URL(request.url).pathname !== '/clock') return gateway.fetch(request, ...rest);
    ahead = Number(await request.text());
    return new Response(String(Date.now()));
  },
};
