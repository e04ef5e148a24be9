import assert from 'node:assert/strict';
import type { Clock } from './clock.ts';
import { Limiter } from './limiter.ts';

/**
 * Holds a rate: each take occupies the line for as long as its amount lasts, and the next one waits
 * for that. A take after a pause passes at once, so the average over any time is at most the rate
 * plus one take. Works with durations only: a clock that jumps neither stalls it nor lets a flood
 * through.
 */
export class Pacer {
  readonly #perSecond: number;
  readonly #clock: Clock;
  readonly #line = new Limiter(1);
  readonly #closed = new AbortController();

  constructor(perSecond: number, clock: Clock) {
    assert(perSecond > 0, 'a rate is above zero');
    this.#perSecond = perSecond;
    this.#clock = clock;
  }

  /**
   * Waits for its turn, in order of arrival, and takes `amount`.
   * @throws the signal's reason when aborted before its turn; then nothing was taken.
   */
  async take(amount: number, signal?: AbortSignal): Promise<void> {
    const release = await this.#line.acquire(signal);
    this.#clock
      .sleep((amount / this.#perSecond) * 1000, this.#closed.signal)
      // Rejects only when closed: then nobody needs the pause any more.
      .then(release, release);
  }

  /**
   * Ends the pause under way, so that no timer outlives its owner; from here on nothing is held
   * back.
   */
  close(): void {
    this.#closed.abort();
  }
}
