import type { Clock } from '../../base/clock.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { KEYS_WITHOUT_BATCH, PAUSE_MS } from './sweep-limits.ts';

export interface Rounds {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called before each round. */
  readonly before?: () => Promise<void>;
}

/** Deletes in requests of as many keys as the store takes, without hurry. */
export async function deleteInRounds(
  { store, clock, signal, before }: Rounds,
  keys: readonly string[],
): Promise<void> {
  const { batchDelete } = store.capabilities;
  const atOnce = batchDelete > 1 ? batchDelete : KEYS_WITHOUT_BATCH;
  for (let from = 0; from < keys.length; from += atOnce) {
    await before?.();
    await store.delete(keys.slice(from, from + atOnce), { signal });
    await clock.sleep(PAUSE_MS, signal);
  }
}
