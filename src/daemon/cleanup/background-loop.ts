import type { Clock } from '../../base/clock.ts';
import { CloudvolError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';

export interface BackgroundLoopOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** For the log. */
  readonly name: string;
  /** @returns how long there is nothing to do, unless it is woken. */
  readonly turn: (signal: AbortSignal) => Promise<number>;
}

/** A clock that was set is noticed after this long at most. */
const MAX_SLEEP_MS = 60_000;

/**
 * Work that goes on beside everything else, turn by turn. Nothing that goes wrong in a turn stops
 * it; ends with close().
 */
export class BackgroundLoop {
  readonly #options: BackgroundLoopOptions;
  readonly #closing = new AbortController();
  #wake = new AbortController();
  #isWoken = false;
  #running: Promise<void> = Promise.resolve();

  private constructor(options: BackgroundLoopOptions) {
    this.#options = options;
  }

  static start(options: BackgroundLoopOptions): BackgroundLoop {
    const loop = new BackgroundLoop(options);
    loop.#running = loop.#run();
    return loop;
  }

  /** There is something to do; if a turn is under way, there is one more after it. */
  wake(): void {
    this.#isWoken = true;
    this.#wake.abort();
  }

  /** Ends the turn that is under way, and waits for that. */
  async close(): Promise<void> {
    this.#closing.abort(new CloudvolError('agent/stopping', 'the agent was shut down'));
    this.#wake.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log, name, turn } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      this.#isWoken = false;
      let sleepMs = MAX_SLEEP_MS;
      try {
        sleepMs = Math.max(0, Math.min(MAX_SLEEP_MS, await turn(signal)));
      } catch (error) {
        // A database that cannot be read or written now may be so at the next turn.
        if (!signal.aborted) log.error('background.turn-failed', { name, error });
      }
      if (this.#isWoken) continue;
      // Rejects only when it is woken.
      await clock.sleep(sleepMs, this.#wake.signal).catch(() => {});
    }
  }
}
