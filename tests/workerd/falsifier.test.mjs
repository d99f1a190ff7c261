// Tries to prove the budget wrong: 100 calls at once against money for exactly K of them, for every K. A call too many or too few
// falsifies it.

import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { after, before, test } from 'node:test';
import { NANO, bodyOf, dollarsOf, eventually, inTime, nanoOf, startWorld } from './support.mjs';

const CALLERS = 100;
const OUTPUT = 20;
// What money holds: every byte of the body may be a token. The models use exactly that, so that a call that ends makes no room.
const BODY = { now: bodyOf({ model: 'now', max_tokens: OUTPUT }), wait: bodyOf({ model: 'wait', max_tokens: OUTPUT }) };
const BYTES = { now: Buffer.byteLength(BODY.now), wait: Buffer.byteLength(BODY.wait) };
const WORDS = (kind) => `c${OUTPUT}-i${BYTES[kind]}`;
const HOLD = { now: BYTES.now * NANO.input + OUTPUT * NANO.output, wait: BYTES.wait * NANO.input + OUTPUT * NANO.output };

let world;
const agent = new Agent({ keepAlive: true, maxSockets: CALLERS, noDelay: true });
before(async () => { world = await startWorld({ models: { now: WORDS('now') }, gated: { wait: WORDS('wait') } }); });
after(async () => {
  agent.destroy();
  await world.stop();
});

/** One call; its status and the error's code, if it has one. */
function call(key, kind) {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'content-length': BYTES[kind] };
  return new Promise((resolve, reject) => {
    const sent = request(`${world.url}/v1/chat/completions`, { method: 'POST', agent, headers }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, code: JSON.parse(Buffer.concat(parts)).error?.code }));
    });
    sent.on('error', reject);
    sent.end(BODY[kind]);
  });
}

/** A tenant whose budget is `nano`, and which refuses what does not fit rather than lower it. */
const tenantWith = (id, nano) =>
  world.tenant(id, { on_shortfall: 'reject', limits: [{ name: 'budget', what: 'cost', per: 'tenant', window: 'lifetime', max: dollarsOf(nano) }] });

/** 100 calls at once; where `kind` is "wait", no answer comes before every one is decided: none that is admitted has ended by then. */
async function race(tenant, kind) {
  world.provider.reset();
  if (kind === 'wait') world.gate.hold();
  let refused = 0;
  const racing = Promise.all(Array.from({ length: CALLERS }, async () => {
    const answer = await call(tenant.key, kind);
    refused += answer.status === 200 ? 0 : 1;
    return answer;
  }));
  const state = () => `${refused} were refused, the provider saw ${world.provider.calls().length}`;
  if (kind === 'wait') {
    await eventually('every call is decided', () => refused + world.provider.calls().length >= CALLERS);
    world.gate.release();
  }
  return inTime('every call is answered', racing, state);
}

/** Exactly `fit` of 100 calls at once pass a budget of `nano`, and what they used is all that the budget says. */
async function check(id, nano, fit, kind) {
  const tenant = await tenantWith(id, nano);
  const answers = await race(tenant, kind);
  const admitted = answers.filter(({ status }) => status === 200).length;
  assert.equal(admitted, fit, `a budget for ${fit} calls${nano === fit * HOLD[kind] ? '' : ' and nearly another'} admitted ${admitted}`);
  const refused = answers.filter(({ status }) => status !== 200);
  assert.ok(refused.every(({ status, code }) => status === 429 && typeof code === 'string'), JSON.stringify(refused));
  assert.equal(world.provider.calls().length, fit, 'the provider saw each admitted call once, and no other');
  const { budget } = (await tenant.usage()).limits;
  assert.deepEqual([nanoOf(budget.used), nanoOf(budget.held)], [fit * HOLD[kind], 0]);
  return tenant;
}

test('a call holds what these tests reckon with, and uses all of it', async () => {
  for (const kind of ['now', 'wait']) {
    const tenant = await check(`one-${kind}`, HOLD[kind], 1, kind);
    const [row] = await tenant.settled(1);
    assert.deepEqual([row.held_cost, row.cost, row.truth], [HOLD[kind], HOLD[kind], 'reported']);
  }
});

for (let from = 0; from <= CALLERS; from += 10) {
  const to = Math.min(from + 9, CALLERS);
  test(`money for exactly K of 100 calls at once admits K, for K from ${from} to ${to}`, async () => {
    for (let fit = from; fit <= to; fit += 1) {
      // All that are admitted are under way together, then some have ended before others ask.
      await check(`k${fit}-wait`, fit * HOLD.wait, fit, 'wait');
      await check(`k${fit}-now`, fit * HOLD.now + HOLD.now - 1, fit, 'now');
    }
  });
}
