import { seededRandom, type SeededRandom } from '../../base/seeded-random.ts';

/** Of so many groups in a row exactly `percent` are taken. */
const WINDOW = 100;

/**
 * Says of group after group whether it belongs to the sample: `percent` of every hundred, at random
 * (selection sampling, Knuth, TAOCP 2, 3.4.2, algorithm S). So the sample spreads over all packs,
 * and every group may be in it. Equal seeds give equal samples.
 */
export class GroupSampler {
  readonly #percent: number;
  readonly #random: SeededRandom;
  #left = 0;
  #wanted = 0;

  constructor(percent: number, seed: number) {
    this.#percent = percent;
    this.#random = seededRandom(seed);
  }

  /** Whether the next group is taken. */
  next(): boolean {
    if (this.#left === 0) {
      this.#left = WINDOW;
      this.#wanted = this.#percent;
    }
    const taken = this.#random.below(this.#left) < this.#wanted;
    this.#left--;
    if (taken) this.#wanted--;
    return taken;
  }
}
