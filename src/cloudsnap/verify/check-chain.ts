import type { Clock } from '../../base/clock.ts';
import { hasCode } from '../../base/errors.ts';
import type { CloudsnapEntry } from '../cloudsnap-api.ts';
import { parentKey } from '../chain.ts';
import { isVisible, notFound, type ManifestCatalog, type Slot } from '../manifest-catalog.ts';
import { manifestKey } from '../object-keys.ts';
import { confirmDamage } from './confirm-damage.ts';
import type { DamageLog } from './damage-log.ts';
import { findingOf } from './index-walk.ts';

export interface CheckChainOptions {
  readonly catalog: ManifestCatalog;
  /** Of the volume. */
  readonly slots: readonly Slot[];
  readonly damage: DamageLog;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Follows the parents up to the full one: each is the one that its child names, by id and bytes,
 * and stands where the rules of chains want it.
 */
export async function checkChain(
  entry: CloudsnapEntry,
  { catalog, slots, damage, clock, signal }: CheckChainOptions,
): Promise<void> {
  for (let child = entry; child.manifest.parent;) {
    const key = parentKey(child.manifest);
    const slot = slots.find((each) => each.key === key);
    // Without a visible parent a cloudsnap is not visible itself: it is on its way out.
    if (!slot || !isVisible(slot)) throw notFound(entry.manifest.cloudsnapId);
    let parent: CloudsnapEntry;
    try {
      parent = await confirmDamage(() => catalog.read(slot, signal), { clock, signal });
    } catch (error) {
      if (!hasCode(error, 'cloudsnap/corrupt')) throw error;
      damage.note('manifest', slot.key, child.manifest.parent.cloudsnapId, findingOf(error));
      return;
    }
    const fault = linkFault(child, parent);
    if (fault !== undefined) {
      const childKey = manifestKey(slot.clusterId, slot.volumeId, child.manifest.sequence);
      const { cloudsnapId } = fault.of === 'parent' ? child.manifest.parent : child.manifest;
      damage.note('manifest', fault.of === 'parent' ? slot.key : childKey, cloudsnapId, fault.is);
      return;
    }
    child = parent;
  }
}

/** What is wrong between a cloudsnap and the one it follows. */
function linkFault(
  { manifest }: CloudsnapEntry,
  parent: CloudsnapEntry,
): { readonly of: 'parent' | 'child'; readonly is: string } | undefined {
  const { cloudsnapId, sequence, incrementals, volume } = parent.manifest;
  if (
    manifest.parent?.cloudsnapId !== cloudsnapId ||
    manifest.parent.manifestSha256 !== parent.manifestSha256
  ) {
    return { of: 'parent', is: `it is not the parent that ${manifest.cloudsnapId} names` };
  }
  const follows =
    sequence < manifest.sequence &&
    incrementals + 1 === manifest.incrementals &&
    volume.blockBytes === manifest.volume.blockBytes &&
    volume.sizeBytes <= manifest.volume.sizeBytes;
  return follows ? undefined : { of: 'child', is: `it cannot follow ${cloudsnapId}` };
}
