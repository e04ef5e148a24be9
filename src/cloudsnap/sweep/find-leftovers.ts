import { hasCode } from '../../base/errors.ts';
import type { ClusterId } from '../../base/ids.ts';
import { parseCloudsnapId } from '../../format/cloudsnap-id.ts';
import type { ObjectInfo } from '../../store/object-store.ts';
import { MAX_ABORTED_BYTES } from '../aborted-record.ts';
import type { DeleteOptions } from '../dependants.ts';
import type { ManifestCatalog, Slot } from '../manifest-catalog.ts';
import { manifestKey, openKey } from '../object-keys.ts';
import { decodeOpen } from '../open-record.ts';
import { readRecord } from '../read-record.ts';
import { slotKey, type PrefixSummary, type RootSurvey } from './survey-root.ts';
import { IN_DOUBT_MS, LONGEST_BACKUP_MS, TOMBSTONE_REST_MS } from './sweep-limits.ts';
import type { LeftoverKind } from './sweep-report.ts';

/** What a listing shows to be left over: to be looked at again before anything is removed. */
export interface Suspect {
  readonly kind: LeftoverKind;
  readonly prefix: PrefixSummary;
  /** Nothing younger than this is removed, by the store's clock. */
  readonly restMs: number;
}

export interface FindOptions extends Pick<DeleteOptions, 'store' | 'ciphers' | 'catalog'> {
  readonly clusterId: ClusterId;
  /** Snap names of uploads that are under way, or may go on. */
  readonly keep: (snapName: string) => boolean;
  readonly storeNowMs: number;
}

/** Goes through the prefixes of a survey; asks the store only about those that are suspect. */
export async function findLeftovers(
  options: FindOptions,
  survey: RootSurvey,
  signal: AbortSignal,
): Promise<Suspect[]> {
  const contenders = Map.groupBy(survey.prefixes, ({ name }) =>
    slotKey(name.volumeId, name.sequence),
  );
  const suspects: Suspect[] = [];
  for (const prefix of survey.prefixes) {
    const { volumeId, sequence } = prefix.name;
    const isAlone = (contenders.get(slotKey(volumeId, sequence))?.length ?? 0) === 1;
    const suspect = options.keep(prefix.name.snapName)
      ? undefined
      : await judge(options, survey, { prefix, isAlone }, signal);
    if (suspect) suspects.push(suspect);
  }
  return suspects;
}

async function judge(
  options: FindOptions,
  survey: RootSurvey,
  { prefix, isAlone }: { readonly prefix: PrefixSummary; readonly isAlone: boolean },
  signal: AbortSignal,
): Promise<Suspect | undefined> {
  const { storeNowMs } = options;
  const { manifest, tombstonedMs } = survey.slotOf(prefix.name);
  if (tombstonedMs !== undefined) {
    if (storeNowMs - tombstonedMs < TOMBSTONE_REST_MS) return undefined;
    return { kind: 'unfinished-deletion', prefix, restMs: IN_DOUBT_MS };
  }
  // The manifest of a prefix that is alone with its number is its own.
  if (isTaken(manifest) && (isAlone || (await isNamed(options, prefix, survey, signal)))) {
    const isOrphan = await hasLostParent(options, prefix, survey, signal);
    return isOrphan ? { kind: 'orphan', prefix, restMs: LONGEST_BACKUP_MS } : undefined;
  }
  if (storeNowMs - prefix.newestMs < LONGEST_BACKUP_MS) return undefined;
  const restMs = await restOf(options, prefix, survey, signal);
  if (storeNowMs - prefix.newestMs < restMs) return undefined;
  return { kind: prefix.hasOpen ? 'dead-upload' : 'stray-objects', prefix, restMs };
}

/** Small ones only say that the number is given up. */
function isTaken(manifest: ObjectInfo | undefined): manifest is ObjectInfo {
  return manifest !== undefined && manifest.sizeBytes > MAX_ABORTED_BYTES;
}

/**
 * Whether the cloudsnap is laid over one that was removed: its writer was cut off before it could
 * see that. Its manifest is read only where the number before is not that of its parent for sure.
 */
async function hasLostParent(
  { catalog, clusterId, storeNowMs }: FindOptions,
  { name }: PrefixSummary,
  survey: RootSurvey,
  signal: AbortSignal,
): Promise<boolean> {
  const { volumeId, sequence, incremental } = name;
  if (!incremental || isTaken(survey.slotOf({ volumeId, sequence: sequence - 1 }).manifest)) {
    return false;
  }
  const { manifest } = survey.slotOf(name);
  if (!manifest || storeNowMs - manifest.modifiedMs < LONGEST_BACKUP_MS) return false;
  const key = manifestKey(clusterId, volumeId, sequence);
  const slot = { clusterId, volumeId, sequence, key, manifest, tombstoned: false };
  try {
    return await isOrphaned(catalog, survey, slot, signal);
  } catch (error) {
    if (hasCode(error, 'cloudsnap/corrupt') || hasCode(error, 'cloudsnap/not-found')) return false;
    throw error;
  }
}

async function isOrphaned(
  catalog: ManifestCatalog,
  survey: RootSurvey,
  slot: Slot,
  signal: AbortSignal,
): Promise<boolean> {
  const { manifest } = await catalog.read(slot, signal);
  const parent = manifest.parent && parseCloudsnapId(manifest.parent.cloudsnapId);
  return parent ? survey.slotOf(parent).manifest === undefined : false;
}

/** Whether the manifest at its number is that of this prefix, or nobody can say. */
async function isNamed(
  { catalog, clusterId }: FindOptions,
  { name }: PrefixSummary,
  survey: RootSurvey,
  signal: AbortSignal,
): Promise<boolean> {
  const { volumeId, sequence, snapName } = name;
  const { manifest } = survey.slotOf(name);
  const key = manifestKey(clusterId, volumeId, sequence);
  const slot = { clusterId, volumeId, sequence, key, manifest, tombstoned: false };
  try {
    const entry = await catalog.read(slot, signal);
    return entry.manifest.cloudsnapId === `${clusterId}/${snapName}`;
  } catch (error) {
    if (hasCode(error, 'cloudsnap/corrupt') || hasCode(error, 'cloudsnap/not-found')) return true;
    throw error;
  }
}

/** Shorter for what an owner before the present one has begun: that one has been overtaken. */
async function restOf(
  options: FindOptions,
  { name, hasOpen }: PrefixSummary,
  survey: RootSurvey,
  signal: AbortSignal,
): Promise<number> {
  if (!hasOpen) return IN_DOUBT_MS;
  const { clusterId } = options;
  const key = openKey(clusterId, name.snapName);
  const cloudsnapId = `${clusterId}/${name.snapName}`;
  try {
    const at = { clusterId, key };
    const decode = (...[bytes, sealing]: Parameters<Parameters<typeof readRecord>[2]>) =>
      decodeOpen(bytes, cloudsnapId, sealing);
    const open = await readRecord(options, at, decode, signal);
    const isEarlier =
      open !== undefined &&
      open.value.generation > 0 &&
      open.value.generation < (survey.generations.get(name.volumeId) ?? 0);
    return isEarlier ? LONGEST_BACKUP_MS : IN_DOUBT_MS;
  } catch (error) {
    if (!hasCode(error, 'cloudsnap/corrupt')) throw error;
    return IN_DOUBT_MS;
  }
}
