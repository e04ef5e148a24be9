import type { Clock } from '../../src/base/clock.ts';

/**
 * A clock on which waiting takes no time, and which moves by one millisecond whenever it is asked.
 */
export function instantClock(startMs = Date.UTC(2024, 0, 1)): Clock {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs++,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      nowMs += Math.ceil(ms);
      await new Promise(setImmediate);
      signal?.throwIfAborted();
    },
  };
}
