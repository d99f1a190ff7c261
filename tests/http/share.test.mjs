// What an isolate holds is counted (src/shell/memory.js): never above its most, and all of it is given back.

import assert from 'node:assert/strict';
import { afterEach, mock, test } from 'node:test';
import { HELD_MAX, KEPT_MAX, LONG_MAX, Share, memory } from '../../src/shell/memory.js';

const TIMEOUT = { timeout: 20_000 };

afterEach(() => {
  mock.timers.reset();
  assert.equal(memory().held, 0, 'a test gives back what it took');
});

test('no share is given beyond what may be held, and one that is refused holds nothing', TIMEOUT, () => {
  const [first, second] = [new Share(), new Share()];
  assert.ok(first.take(HELD_MAX - 1));
  assert.equal(second.take(2), false);
  assert.equal(second.bytes, 0);
  assert.ok(second.take(1));
  assert.equal(memory().held, HELD_MAX);
  assert.equal(memory().peak, HELD_MAX);
  first.give();
  second.give();
  second.give();
});

test('what is long, and what is held for others, leaves room for ordinary calls', TIMEOUT, () => {
  const [long, kept, short] = [new Share(), new Share(), new Share()];
  assert.ok(kept.take(KEPT_MAX, KEPT_MAX));
  assert.equal(kept.take(1, KEPT_MAX), false);
  assert.ok(long.take(LONG_MAX - KEPT_MAX, LONG_MAX));
  assert.equal(long.take(1, LONG_MAX), false);
  assert.ok(short.take(HELD_MAX - LONG_MAX));
  [long, kept, short].forEach((share) => share.give());
});

test('a share is made larger if there is room, and smaller always', TIMEOUT, () => {
  const share = new Share();
  assert.ok(share.hold(100, 100));
  assert.equal(share.hold(101, 100), false);
  assert.equal(share.bytes, 100);
  assert.ok(share.hold(40, 0));
  share.give(30);
  assert.equal(memory().held, 30);
  share.give();
});

test('a share that has ended takes nothing any more', TIMEOUT, () => {
  const share = new Share();
  assert.ok(share.take(100));
  share.end();
  assert.deepEqual([share.bytes, memory().held], [0, 0]);
  assert.deepEqual([share.take(1), share.hold(50, Infinity), share.hold(0), memory().held], [false, false, true, 0]);
});

test('who waits for room has it as soon as another gives it back, or is told that there is none', TIMEOUT, async () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const settled = async (promise) => {
    let told;
    promise.then((found) => { told = found; });
    for (let step = 0; told === undefined && step < 1_000; step += 1) {
      mock.timers.tick(10);
      await Promise.resolve();
    }
    return told;
  };
  const [other, share] = [new Share(), new Share()];
  other.take(HELD_MAX);
  assert.equal(await settled(share.wait(10, HELD_MAX, 500)), false);
  const waits = share.wait(10, HELD_MAX, 500);
  other.give(HELD_MAX - 10);
  assert.equal(await settled(waits), true);
  assert.equal(await share.wait(HELD_MAX + 1, HELD_MAX, 1_000_000), false, 'what never fits is not waited for');
  other.give();
  share.give();
});

test('a share whose request was lost is given back and its bytes let go of, one that is heard of is not', TIMEOUT, () => {
  mock.timers.enable({ apis: ['Date'] });
  let freed = 0;
  const [lost, alive, next] = [new Share(() => { freed += 1; }), new Share(() => assert.fail('it lives')), new Share()];
  lost.take(HELD_MAX / 2);
  alive.take(HELD_MAX / 2);
  assert.equal(next.take(1), false);
  mock.timers.tick(14 * 60_000);
  alive.keep();
  mock.timers.tick(2 * 60_000);
  assert.ok(next.take(1));
  assert.equal(freed, 1);
  assert.deepEqual([lost.bytes, alive.bytes], [0, HELD_MAX / 2]);
  alive.give();
  next.give();
});
