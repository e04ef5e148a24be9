import { setTimeout as delay } from 'node:timers/promises';

/** Time as the code sees it; a test's clock stands still until it is told to move. */
export interface Clock {
  /** Milliseconds since 1970, UTC. Not monotonic: order by sequence numbers, never by this. */
  nowMs(): number;
  /** @throws the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  async sleep(ms, signal) {
    signal?.throwIfAborted();
    try {
      await delay(ms, undefined, signal ? { signal } : {});
    } catch (error) {
      // The timer rejects with an AbortError of its own; the promise here is the signal's reason.
      signal?.throwIfAborted();
      throw error;
    }
  },
};
