import type { Clock } from '../base/clock.ts';
import { withDeadline } from '../base/deadline.ts';
import { CloudvolError } from '../base/errors.ts';
import type { Extent } from '../base/extent.ts';

/** Readers of absent blocks that wait now. */
export interface WaitReport {
  readonly readers: number;
  /** How long the first of them has been waiting; 0 when nobody waits. */
  readonly longestMs: number;
}

/** Counts the reads of absent blocks under way, and ends those that wait for too long. */
export class DemandWaits {
  readonly #clock: Clock;
  readonly #volumeName: string;
  /** When each began. A set keeps their order. */
  readonly #waits = new Set<{ readonly sinceMs: number }>();

  constructor(clock: Clock, volumeName: string) {
    this.#clock = clock;
    this.#volumeName = volumeName;
  }

  report(): WaitReport {
    const [first] = this.#waits;
    const longestMs = first ? Math.max(0, this.#clock.nowMs() - first.sinceMs) : 0;
    return { readers: this.#waits.size, longestMs };
  }

  /**
   * @param limitMs without it the reader waits for ever, like one of a hard mount.
   * @throws CloudvolError `volume/absent-timeout`, or what `read` throws.
   */
  async run<T>(
    extent: Extent,
    limitMs: number | undefined,
    read: (signal?: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const wait = { sinceMs: this.#clock.nowMs() };
    this.#waits.add(wait);
    try {
      if (limitMs === undefined) return await read();
      const clock = this.#clock;
      const timedOut = () => this.#timedOut(extent, limitMs);
      return await withDeadline(read, { limitMs, clock, timedOut });
    } finally {
      this.#waits.delete(wait);
    }
  }

  #timedOut({ firstBlock, blockCount }: Extent, limitMs: number): CloudvolError {
    const blocks = `blocks ${firstBlock} to ${firstBlock + blockCount - 1}`;
    return new CloudvolError(
      'volume/absent-timeout',
      `${blocks} of volume ${this.#volumeName} did not come within ${limitMs / 1000} s`,
      { hint: 'see that its store can be reached, or wait for longer: volume hydrate' },
    );
  }
}
