import type { ClusterId, VolumeId } from '../../base/ids.ts';
import type { CloudsnapName } from '../../format/cloudsnap-id.ts';
import type { ObjectInfo, ObjectStore } from '../../store/object-store.ts';
import {
  clusterPrefix,
  isSweepKey,
  parseManifestKey,
  parseOwnerKey,
  parseSnapKey,
} from '../object-keys.ts';

/** Everything below the prefix of one cloudsnap. */
export interface PrefixSummary {
  readonly name: CloudsnapName;
  objects: number;
  bytes: number;
  /** By the store's clock. */
  newestMs: number;
  hasOpen: boolean;
}

/** What a number of a volume has in the listing. */
export interface ListedSlot {
  manifest?: ObjectInfo;
  tombstonedMs?: number;
}

/** A root as one listing shows it; some hundred bytes for each cloudsnap, whatever its size. */
export class RootSurvey {
  readonly prefixes: PrefixSummary[] = [];
  readonly slots = new Map<string, ListedSlot>();
  /** Highest generation by volume. */
  readonly generations = new Map<VolumeId, number>();
  readonly sweepMarks: ObjectInfo[] = [];
  listedObjects = 0;

  slotOf({ volumeId, sequence }: Pick<CloudsnapName, 'volumeId' | 'sequence'>): ListedSlot {
    return this.slots.get(slotKey(volumeId, sequence)) ?? {};
  }
}

export function slotKey(volumeId: VolumeId, sequence: number): string {
  return `${volumeId} ${sequence}`;
}

/**
 * Reads the listing of a root. Prefixes of cloudsnaps come before the manifests in it, and the
 * marks of sweeps come last.
 */
export async function surveyRoot(
  store: ObjectStore,
  clusterId: ClusterId,
  signal: AbortSignal,
): Promise<RootSurvey> {
  const survey = new RootSurvey();
  for await (const info of store.list(clusterPrefix(clusterId), { signal })) {
    survey.listedObjects += 1;
    if (isSweepKey(clusterId, info.key)) survey.sweepMarks.push(info);
    else note(survey, info);
  }
  return survey;
}

function note(survey: RootSurvey, info: ObjectInfo): void {
  const snap = parseSnapKey(info.key);
  if (snap) return noteObject(survey, snap, info);
  const place = parseManifestKey(info.key);
  if (place) {
    const key = slotKey(place.volumeId, place.sequence);
    const slot = survey.slots.get(key) ?? {};
    if (place.isTombstone) slot.tombstonedMs = info.modifiedMs;
    else slot.manifest = info;
    survey.slots.set(key, slot);
    return;
  }
  const owner = parseOwnerKey(info.key);
  if (!owner) return;
  const volumeId = info.key.split('/')[2] as VolumeId;
  const known = survey.generations.get(volumeId) ?? 0;
  survey.generations.set(volumeId, Math.max(known, owner.generation));
}

function noteObject(
  { prefixes }: RootSurvey,
  { object, ...name }: CloudsnapName & { readonly object: string },
  { sizeBytes, modifiedMs }: ObjectInfo,
): void {
  let last = prefixes.at(-1);
  // Ascending keys: what lies below one prefix comes together.
  if (last?.name.snapName !== name.snapName) {
    last = { name, objects: 0, bytes: 0, newestMs: modifiedMs, hasOpen: false };
    prefixes.push(last);
  }
  last.objects += 1;
  last.bytes += sizeBytes;
  last.newestMs = Math.max(last.newestMs, modifiedMs);
  last.hasOpen ||= object === 'open';
}
