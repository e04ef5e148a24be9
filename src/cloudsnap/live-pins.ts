import { CloudvolError } from '../base/errors.ts';
import type { ClusterId } from '../base/ids.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { pinsPrefix } from './object-keys.ts';
import { withSignal } from './with-signal.ts';

/** A host renews its pins daily: one that has not done so for a week is gone. */
export const PIN_LIFE_MS = 7 * 24 * 3600 * 1000;

/**
 * Whether a host reads from the cloudsnap and needs its objects.
 * @param storeNowMs by the store's clock, as the times of the pins are.
 */
export async function hasLivePin(
  store: ObjectStore,
  { clusterId, snapName }: { readonly clusterId: ClusterId; readonly snapName: string },
  storeNowMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  for await (const { modifiedMs } of store.list(
    pinsPrefix(clusterId, snapName),
    withSignal(signal),
  )) {
    if (storeNowMs - modifiedMs < PIN_LIFE_MS) return true;
  }
  return false;
}

export function pinned(cloudsnapId: string): CloudvolError {
  return new CloudvolError('cloudsnap/in-use', `a host still reads from ${cloudsnapId}`, {
    hint: 'wait until the volume there is hydrated; a host that is gone counts no more in a week',
    details: { cloudsnapId },
  });
}
