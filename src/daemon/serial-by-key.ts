import { Limiter } from '../base/limiter.ts';

/**
 * Runs pieces of work with the same key one after another, first come, first served; other keys at
 * the same time.
 */
export class SerialByKey {
  readonly #limiters = new Map<string, Limiter>();

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const limiter = this.#limiters.get(key) ?? new Limiter(1);
    this.#limiters.set(key, limiter);
    try {
      return await limiter.run(work);
    } finally {
      if (limiter.active === 0 && limiter.waiting === 0) this.#limiters.delete(key);
    }
  }
}
