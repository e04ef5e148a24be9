import { randomBytes } from 'node:crypto';
import { CloudvolError, hasCode, messageOf } from '../../base/errors.ts';
import type { ClusterId, VolumeId } from '../../base/ids.ts';
import { parentKey } from '../chain.ts';
import { markDeleted } from '../delete-cloudsnap.ts';
import type { DeleteOptions } from '../dependants.ts';
import { finishDeletion, readTombstone } from '../finish-deletions.ts';
import type { Slot } from '../manifest-catalog.ts';
import { sweepKey } from '../object-keys.ts';
import { findLeftovers, type Suspect } from './find-leftovers.ts';
import { listingLies, removeUpload } from './remove-upload.ts';
import { surveyRoot, type RootSurvey } from './survey-root.ts';
import { LONGEST_BACKUP_MS, MAX_NUMBER_GAP } from './sweep-limits.ts';
import type { Leftover, SweepReport, SweepRequest } from './sweep-report.ts';
import { sweepTrials } from './sweep-trials.ts';

export interface SweepOptions extends DeleteOptions {
  readonly clusterId: ClusterId;
  /** Whether an upload with this snap name is under way in this process. */
  readonly isUploading: (snapName: string) => boolean;
  /** One deletion at a time. */
  readonly alone: <T>(work: () => Promise<T>) => Promise<T>;
}

/**
 * Removes what nobody needs below a root: the rest of deletions that were cut off, and of uploads
 * that nobody goes on with.
 *
 * | found below a prefix                        | removed                                        |
 * |---------------------------------------------|------------------------------------------------|
 * | a manifest that can be visible              | never                                          |
 * | marked as deleted                           | after TOMBSTONE_REST_MS, unless a host reads   |
 * | no manifest, begun by an earlier owner      | LONGEST_BACKUP_MS after its latest object      |
 * | no manifest, otherwise                      | IN_DOUBT_MS after its latest object            |
 * | a manifest whose parent was removed         | LONGEST_BACKUP_MS after the manifest           |
 *
 * One listing of the whole root finds all of it: a request for each 1,000 objects. An object that
 * is put beforehand has to be in it, or the listing is not believed. What it shows is looked at
 * once more, by key, before anything goes: no listing decides what a visible cloudsnap needs.
 * @throws CloudvolError `cloudsnap/listing-stale`
 */
export async function sweepRepository(
  options: SweepOptions,
  request: SweepRequest,
  signal: AbortSignal,
): Promise<SweepReport> {
  const { store, clusterId, clock } = options;
  const mark = request.dryRun ? undefined : await putMark(options, signal);
  const survey = await surveyRoot(store, clusterId, signal);
  const shown = survey.sweepMarks.find(({ key }) => key === mark);
  if (mark !== undefined && !shown) throw listingLies('it lacks what was put just before');
  const storeNowMs = shown?.modifiedMs ?? clock.nowMs();
  const keep = (snapName: string) => request.keep.has(snapName) || options.isUploading(snapName);
  const suspects = await findLeftovers({ ...options, keep, storeNowMs }, survey, signal);
  const leftovers: Leftover[] = [];
  const tell = (leftover: Leftover) => {
    leftovers.push(leftover);
    request.onLeftover?.(leftover);
  };
  const { dryRun, takeover = false } = request;
  const { listedObjects } = survey;
  const trialObjects = await sweepTrials({ store, clock, storeNowMs, dryRun }, signal);
  if (dryRun) {
    for (const suspect of suspects) tell(leftoverOf(options, suspect, 'found'));
    return { leftovers, listedObjects, trialObjects };
  }
  for (const [volumeId, ofVolume] of Map.groupBy(suspects, ({ prefix }) => prefix.name.volumeId)) {
    const sweep = { volumeId, survey, storeNowMs, takeover, tell };
    await sweepVolume(options, sweep, inOrder(ofVolume), signal);
  }
  await removeMarks(options, survey, storeNowMs, mark, signal);
  return { leftovers, listedObjects, trialObjects };
}

/**
 * Uploads first: if a listing hides manifests, one of these is found to be published, and nothing
 * was removed before. Then the latest: what is left when this is cut off are whole chains.
 */
function inOrder(suspects: readonly Suspect[]): Suspect[] {
  const rank = ({ kind }: Suspect) => (kind === 'dead-upload' ? 0 : 1);
  const sequence = ({ prefix }: Suspect) => prefix.name.sequence;
  return suspects.toSorted((a, b) => rank(a) - rank(b) || sequence(b) - sequence(a));
}

interface VolumeSweep {
  readonly volumeId: VolumeId;
  readonly survey: RootSurvey;
  readonly storeNowMs: number;
  readonly takeover: boolean;
  readonly tell: (leftover: Leftover) => void;
}

async function sweepVolume(
  options: SweepOptions,
  sweep: VolumeSweep,
  suspects: readonly Suspect[],
  signal: AbortSignal,
): Promise<void> {
  const { clusterId, ownership, catalog } = options;
  const { volumeId, takeover, tell } = sweep;
  const place = { clusterId, volumeId };
  let generation: number;
  try {
    generation = await ownership.acquire(place, { takeover, isPatient: false }, signal);
  } catch (error) {
    if (!hasCode(error, 'cloudsnap/other-host')) throw error;
    for (const each of suspects) tell(leftoverOf(options, each, 'kept', messageOf(error)));
    return;
  }
  const slots = await catalog.slots(clusterId, volumeId, signal);
  await requireAllShown(options, sweep, slots, signal);
  for (const suspect of suspects) {
    await ownership.renewIfDue(place, signal);
    tell(await remove(options, { ...sweep, slots, generation }, suspect, signal));
  }
}

async function remove(
  options: SweepOptions,
  sweep: VolumeSweep & { readonly slots: readonly Slot[]; readonly generation: number },
  suspect: Suspect,
  signal: AbortSignal,
): Promise<Leftover> {
  try {
    const note = await removeSuspect(options, sweep, suspect, signal);
    return leftoverOf(options, suspect, note === undefined ? 'removed' : 'kept', note);
  } catch (error) {
    signal.throwIfAborted();
    const isFinal = ['cloudsnap/listing-stale', 'cloudsnap/not-owner'] as const;
    if (!(error instanceof CloudvolError) || isFinal.some((code) => hasCode(error, code))) {
      throw error;
    }
    const { snapName } = suspect.prefix.name;
    options.log.warn('sweep.leftover-kept', { snapName, reason: error.message });
    return leftoverOf(options, suspect, 'kept', error.message);
  }
}

/** @returns why it stays; undefined when it is gone. */
async function removeSuspect(
  options: SweepOptions,
  sweep: VolumeSweep & { readonly slots: readonly Slot[]; readonly generation: number },
  suspect: Suspect,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { clusterId } = options;
  const { slots, generation, storeNowMs } = sweep;
  const { sequence, snapName } = suspect.prefix.name;
  if (options.isUploading(snapName)) return 'an upload goes on with it';
  const slot = slots.find((each) => each.sequence === sequence);
  if (suspect.kind === 'orphan') return await removeOrphan(options, slot, generation, signal);
  if (slot?.tombstoned) {
    const tombstone = await readTombstone(options, slot, signal);
    if (tombstone?.value.snapName === snapName) {
      const finishing = { generation, storeNowMs };
      const outcome = await options.alone(() => finishDeletion(options, slot, finishing, signal));
      return outcome === 'finished' ? undefined : 'a host still reads from it';
    }
    // It lost the number to the one that was deleted.
    if (storeNowMs - suspect.prefix.newestMs < suspect.restMs) return 'it is not old enough';
  } else if (suspect.kind === 'unfinished-deletion') {
    return 'its deletion was taken back';
  }
  const highest = slots.reduce((most, each) => Math.max(most, each.sequence), 0);
  if (sequence - highest > MAX_NUMBER_GAP) return 'no upload of the volume has such a number';
  const { name } = suspect.prefix;
  const removing = { clusterId, generation, restMs: suspect.restMs, storeNowMs };
  const outcome = await removeUpload(options, name, removing, signal);
  if (outcome === 'published') {
    throw listingLies(`${clusterId}/${snapName} is there, and the listing did not show it`);
  }
  return outcome === 'removed' ? undefined : 'somebody is writing it';
}

/**
 * Marks it as deleted and removes it, if its parent is gone: by its key, not by a listing, and
 * with all that it had.
 */
async function removeOrphan(
  options: SweepOptions,
  slot: Slot | undefined,
  generation: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { catalog, store, alone } = options;
  if (!slot?.manifest || slot.tombstoned) return 'somebody deletes it';
  const entry = await catalog.read(slot, signal);
  const { parent } = entry.manifest;
  const key = parentKey(entry.manifest);
  if (!parent || key === undefined || (await store.head(key, { signal }))) {
    return 'its parent is there';
  }
  for await (const { key: found } of store.list(`${parent.cloudsnapId}/`, { signal })) {
    if (!found.endsWith('/open')) return 'objects of its parent are there';
  }
  await markDeleted(options, entry, { isPatient: false }, signal);
  const marked = { ...slot, tombstoned: true };
  const outcome = await alone(() =>
    finishDeletion(options, marked, { generation, storeNowMs: 0 }, signal),
  );
  return outcome === 'finished' ? undefined : 'a host still reads from it';
}

/** What one listing shows and the next does not, and is there all the same: one of them lies. */
async function requireAllShown(
  { store }: SweepOptions,
  { volumeId, survey }: VolumeSweep,
  slots: readonly Slot[],
  signal: AbortSignal,
): Promise<void> {
  const shown = new Set(slots.map(({ key }) => key));
  const prefix = `${volumeId} `;
  for (const [key, { manifest }] of survey.slots) {
    if (!key.startsWith(prefix) || !manifest || shown.has(manifest.key)) continue;
    if (await store.head(manifest.key, { signal })) {
      throw listingLies(`it does not show ${manifest.key} any more, which is there`);
    }
  }
}

/** Its time is the store's; only that it is there and when means anything. */
async function putMark({ store, clusterId }: SweepOptions, signal: AbortSignal): Promise<string> {
  const key = sweepKey(clusterId, randomBytes(8).toString('hex'));
  await store.put(key, Buffer.from('sweep'), { signal });
  return key;
}

/** The own one, and those of sweeps that were cut off. */
async function removeMarks(
  { store }: SweepOptions,
  { sweepMarks }: RootSurvey,
  storeNowMs: number,
  own: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const old = sweepMarks.filter(
    ({ key, modifiedMs }) => key === own || storeNowMs - modifiedMs > LONGEST_BACKUP_MS,
  );
  if (old.length > 0) {
    await store.delete(
      old.map(({ key }) => key),
      { signal },
    );
  }
}

function leftoverOf(
  { clusterId }: SweepOptions,
  { kind, prefix }: Suspect,
  outcome: Leftover['outcome'],
  note?: string,
): Leftover {
  const { objects, bytes, name } = prefix;
  const cloudsnapId = `${clusterId}/${name.snapName}`;
  const { volumeId } = name;
  return { kind, cloudsnapId, volumeId, objects, bytes, outcome, ...(note && { note }) };
}
