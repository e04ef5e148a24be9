import assert from 'node:assert/strict';

/**
 * Bounds how much is under way at once; those who wait are served first come, first served. Nobody
 * overtakes, so a caller that needs two slots of one limiter for one piece of work can deadlock:
 * take one slot per piece of work.
 */
export class Limiter {
  readonly limit: number;
  #active = 0;
  // A Set keeps the order of arrival and removes one that gave up in constant time.
  readonly #waiting = new Set<() => void>();

  constructor(limit: number) {
    assert(Number.isSafeInteger(limit) && limit > 0, 'a limiter lets at least one through');
    this.limit = limit;
  }

  /** Slots taken. */
  get active(): number {
    return this.#active;
  }

  /** Callers in the queue. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Runs `work` in a slot of its own; the slot is free again when its promise settles.
   * @throws the signal's reason when aborted before a slot was free (then `work` never started), or
   * what `work` throws.
   */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const release = await this.acquire(signal);
    try {
      return await work();
    } finally {
      release();
    }
  }

  /**
   * Takes a slot and returns the function that gives it back; calling that again does nothing. For
   * work that outlives the caller's scope (back pressure: wait for a slot, start the upload, go
   * on); otherwise prefer `run`.
   * @throws the signal's reason when aborted before a slot was free.
   */
  async acquire(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#active < this.limit) this.#active++;
    else await this.#queue(signal);
    let held = true;
    return () => {
      if (held) this.#handOver();
      held = false;
    };
  }

  #queue(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const grant = () => {
        signal?.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = () => {
        this.#waiting.delete(grant);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', giveUp, { once: true });
      this.#waiting.add(grant);
    });
  }

  #handOver(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#active--;
      return;
    }
    // The slot passes on without becoming free in between, so that a newcomer cannot slip in before
    // the queue.
    this.#waiting.delete(next);
    next();
  }
}
