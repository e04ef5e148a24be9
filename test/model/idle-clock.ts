import { setTimeout as realSleep } from 'node:timers/promises';
import type { Clock } from '../../src/base/clock.ts';

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

/** Turns of a real millisecond without a sign of life after which only a hung call can be left. */
const IDLE_TURNS = 3;

/**
 * A clock for deadlines: it stands still while something happens, and jumps to the next wait's end
 * when nothing does. So a call that hangs is cut after some real milliseconds, however long its
 * deadline, and one that is served is not.
 */
export class IdleClock implements Clock {
  #nowMs = Date.UTC(2024, 0, 1);
  readonly #sleepers = new Set<Sleeper>();
  readonly #isBusy: () => boolean;
  #signs = 0;
  #pumping = false;

  /** @param isBusy whether something is under way that will end by itself */
  constructor(isBusy: () => boolean) {
    this.#isBusy = isBusy;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  /** Something happens: time does not pass. */
  sign(): void {
    this.#signs++;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.sign();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper = { dueMs: this.#nowMs + ms, wake: resolve };
    const giveUp = () => reject(signal?.reason as Error);
    signal?.addEventListener('abort', giveUp, { once: true });
    this.#sleepers.add(sleeper);
    if (!this.#pumping) void this.#pump();
    try {
      await promise;
    } finally {
      this.#sleepers.delete(sleeper);
      signal?.removeEventListener('abort', giveUp);
    }
  }

  /** Ends with the last sleeper. */
  async #pump(): Promise<void> {
    this.#pumping = true;
    let idle = 0;
    for (let seen = -1; this.#sleepers.size > 0; seen = this.#signs) {
      idle = seen === this.#signs && !this.#isBusy() ? idle + 1 : 0;
      if (idle >= IDLE_TURNS) {
        idle = 0;
        this.#wakeNext();
      }
      await realSleep(1);
    }
    this.#pumping = false;
  }

  #wakeNext(): void {
    const [first] = [...this.#sleepers].sort((a, b) => a.dueMs - b.dueMs);
    if (!first) return;
    this.#nowMs = Math.max(this.#nowMs, first.dueMs);
    this.#sleepers.delete(first);
    first.wake();
  }
}
