import type { Clock } from '../base/clock.ts';
import { Pacer } from '../base/pacer.ts';

/** Holds a hydration to a rate that may change while it runs. */
export class HydrationPace {
  readonly #rateOf: () => number | undefined;
  readonly #clock: Clock;
  #rate: number | undefined;
  #pacer: Pacer | undefined;

  /** @param rateOf bytes per second; undefined: no limit. Asked anew for each piece. */
  constructor(rateOf: () => number | undefined, clock: Clock) {
    this.#rateOf = rateOf;
    this.#clock = clock;
  }

  /** Waits for the turn of so many bytes. @throws the signal's reason */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const rate = this.#rateOf();
    if (rate !== this.#rate) {
      this.close();
      this.#rate = rate;
      this.#pacer = rate === undefined ? undefined : new Pacer(rate, this.#clock);
    }
    if (bytes > 0) await this.#pacer?.take(bytes, signal);
  }

  /** No timer is left behind. */
  close(): void {
    this.#pacer?.close();
    this.#pacer = undefined;
    this.#rate = undefined;
  }
}
