import type { ClusterId } from '../base/ids.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { MAX_MARKER_BYTES, decodeClusterMarker, type ClusterMarker } from './cluster-marker.ts';
import { readIntact } from './damage.ts';
import { clusterKey } from './object-keys.ts';
import { withSignal } from './with-signal.ts';

/**
 * A HEAD and a GET of a few bytes. undefined: nobody has written to this root yet.
 * @throws CloudvolError `cloudsnap/corrupt`
 */
export async function readClusterMarker(
  store: ObjectStore,
  clusterId: ClusterId,
  signal?: AbortSignal,
): Promise<ClusterMarker | undefined> {
  const key = clusterKey(clusterId);
  const info = await store.head(key, withSignal(signal));
  if (!info) return undefined;
  const range = { offset: 0, length: Math.max(1, Math.min(info.sizeBytes, MAX_MARKER_BYTES)) };
  return await readIntact(
    { cloudsnapId: clusterId, object: key },
    () => store.get(key, { range, ...withSignal(signal) }),
    (bytes) => decodeClusterMarker(bytes, clusterId),
  );
}
