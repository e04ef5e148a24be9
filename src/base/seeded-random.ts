/**
 * Repeatable randomness for simulations and injected faults. Never for keys, ids or anything that
 * must not be guessed.
 */
export interface SeededRandom {
  readonly seed: number;
  /** Uniform in [0, 1), with 32 bits of resolution. */
  next(): number;
  /** Uniform integer in [0, bound). */
  below(bound: number): number;
  /** True with the given probability, 0 … 1. */
  chance(probability: number): boolean;
  bytes(length: number): Uint8Array<ArrayBuffer>;
}

/**
 * mulberry32 (Tommy Ettinger, public domain): 32 bits of state are plenty for a test and print as
 * one number.
 */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const next32 = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const next = () => next32() / 2 ** 32;
  return {
    seed,
    next,
    below: (bound) => Math.floor(next() * bound),
    chance: (probability) => next() < probability,
    bytes(length) {
      const words = Uint32Array.from({ length: Math.ceil(length / 4) }, next32);
      return new Uint8Array(words.buffer, 0, length);
    },
  };
}
