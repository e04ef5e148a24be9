import type { ClusterId } from '../../base/ids.ts';
import { requireSnapName } from '../../format/cloudsnap-id.ts';
import type { DeleteOptions } from '../dependants.ts';
import { removeUpload } from './remove-upload.ts';

/**
 * Removes what an upload has stored that is known to go on no more: its volume is gone. If it was
 * published after all, it stays.
 * @throws CloudvolError `cloudsnap/other-host` when another host owns the volume by now.
 */
export async function discardUpload(
  options: DeleteOptions & { readonly clusterId: ClusterId },
  snapName: string,
  signal: AbortSignal,
): Promise<void> {
  const { clusterId, ownership, log } = options;
  const name = requireSnapName(snapName);
  const place = { clusterId, volumeId: name.volumeId };
  const generation = await ownership.acquire(place, { isPatient: false }, signal);
  // No age protects it: whoever knew that it could go on has said that it does not.
  const removing = { clusterId, generation, restMs: 0, storeNowMs: Infinity };
  const outcome = await removeUpload(options, name, removing, signal);
  log.info('upload.discarded', { cloudsnapId: `${clusterId}/${snapName}`, outcome });
}
