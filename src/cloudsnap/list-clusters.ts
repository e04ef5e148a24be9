import type { ClusterId } from '../base/ids.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { clustersPrefix, parseClusterKey } from './object-keys.ts';
import { withSignal } from './with-signal.ts';

/** Every root in the bucket that was ever written to. */
export async function listClusters(store: ObjectStore, signal?: AbortSignal): Promise<ClusterId[]> {
  const found: ClusterId[] = [];
  for await (const { key } of store.list(clustersPrefix(), withSignal(signal))) {
    const clusterId = parseClusterKey(key);
    if (clusterId) found.push(clusterId);
  }
  return found;
}
