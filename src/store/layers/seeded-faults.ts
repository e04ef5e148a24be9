import { seededRandom } from '../../base/seeded-random.ts';
import { sha256Hex } from '../../base/sha256.ts';
import type { Fault, FaultKind, FaultPlan } from './faults.ts';

/** Probability of each kind, 0 … 1; they add up to at most 1. */
export type FaultRates = Readonly<Partial<Record<Exclude<FaultKind, 'none'>, number>>>;

export interface SeededFaultsOptions {
  readonly seed: number;
  readonly rates: FaultRates;
  /** Each request waits uniformly from 0 to this. Default: 0. */
  readonly maxLatencyMs?: number;
}

/**
 * A repeatable plan: what happens to a request depends on the seed, the verb, the key and how often
 * that pair came before, not on what else is under way. So concurrent callers meet the same faults
 * in every run.
 */
export function seededFaults({ seed, rates, maxLatencyMs = 0 }: SeededFaultsOptions): FaultPlan {
  const seen = new Map<string, number>();
  return ({ verb, key }): Fault => {
    const name = `${verb} ${key}`;
    const occurrence = (seen.get(name) ?? 0) + 1;
    seen.set(name, occurrence);
    const digest = sha256Hex(`${seed} ${name} ${occurrence}`);
    const random = seededRandom(Number.parseInt(digest.slice(0, 8), 16));
    return { kind: draw(rates, random.next()), latencyMs: random.next() * maxLatencyMs };
  };
}

function draw(rates: FaultRates, point: number): FaultKind {
  let end = 0;
  for (const [kind, rate] of Object.entries(rates) as [FaultKind, number][]) {
    end += rate;
    if (point < end) return kind;
  }
  return 'none';
}
