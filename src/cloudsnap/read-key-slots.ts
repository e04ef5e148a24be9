import type { ClusterId } from '../base/ids.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { readIntact } from './damage.ts';
import { decodeKeySlots, type KeySlots } from './key-slots.ts';
import { masterKeyKey } from './object-keys.ts';
import { withSignal } from './with-signal.ts';

/** One GET: the keys object. @throws CloudvolError `cloudsnap/corrupt` */
export function readKeySlots(
  store: ObjectStore,
  clusterId: ClusterId,
  masterKeyId: string,
  signal?: AbortSignal,
): Promise<KeySlots> {
  const key = masterKeyKey(clusterId, masterKeyId);
  return readIntact(
    { cloudsnapId: clusterId, object: key },
    () => store.get(key, withSignal(signal)),
    (bytes) => decodeKeySlots(bytes, clusterId, masterKeyId),
  );
}
