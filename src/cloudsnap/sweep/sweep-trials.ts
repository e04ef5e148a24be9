import type { Clock } from '../../base/clock.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { PROBE_PREFIX, VALIDATE_PREFIX } from '../../store/trial-objects.ts';
import { deleteInRounds } from './delete-in-rounds.ts';
import { TRIAL_REST_MS } from './sweep-limits.ts';

export interface TrialSweep {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly storeNowMs: number;
  readonly dryRun: boolean;
}

/**
 * Removes what killed processes left that had tried out the store. It belongs to no root, so that
 * nobody owns it, and to nobody's data.
 * @returns how many objects it found.
 */
export async function sweepTrials(
  { store, clock, storeNowMs, dryRun }: TrialSweep,
  signal: AbortSignal,
): Promise<number> {
  const keys: string[] = [];
  for (const prefix of [PROBE_PREFIX, VALIDATE_PREFIX]) {
    for await (const { key, modifiedMs } of store.list(prefix, { signal })) {
      if (storeNowMs - modifiedMs >= TRIAL_REST_MS) keys.push(key);
    }
  }
  if (!dryRun) await deleteInRounds({ store, clock, signal }, keys);
  return keys.length;
}
