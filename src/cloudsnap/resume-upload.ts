import type { Clock } from '../base/clock.ts';
import { CloudvolError } from '../base/errors.ts';
import type { ClusterId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { requireSnapName, type CloudsnapName } from '../format/cloudsnap-id.ts';
import { MAX_ATTEMPTS } from '../format/root-object.ts';
import type { JournalHead } from '../format/upload-journal.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { nextSequence } from './chain.ts';
import type { CloudsnapPlan, UploadOptions } from './cloudsnap-api.ts';
import { EarlierPacks } from './earlier-packs.ts';
import type { Slot } from './manifest-catalog.ts';
import { openKey, packKey, snapPrefix } from './object-keys.ts';
import { removeJournal, UploadJournal } from './upload-journal.ts';

/**
 * What an upload has stored is kept for this long: a volume that is backed up once a week goes on,
 * and nobody pays for ever for what was given up.
 */
export const MAX_JOURNAL_AGE_MS = 14 * 24 * 3600 * 1000;

/** An upload that goes on. */
export interface ResumedUpload {
  readonly name: CloudsnapName;
  readonly journal: UploadJournal;
  /** How often it was cut off: 1 or more. */
  readonly attempt: number;
  readonly earlier: EarlierPacks;
  readonly openBytes: number;
  /** Keys that lie below its prefix now; `open` is not among them. */
  readonly stored: readonly string[];
}

interface Surroundings {
  readonly store: ObjectStore;
  readonly clusterId: ClusterId;
  readonly clock: Clock;
  readonly log: Log;
}

interface Wanted {
  readonly plan: CloudsnapPlan;
  readonly slots: readonly Slot[];
  readonly head: Omit<JournalHead, 'cloudsnapId'>;
}

/**
 * Looks whether an upload that was cut off can go on: it has to be of the same content but for the
 * blocks, nobody may have taken its number, and what it has stored has to be there. One listing of
 * its own prefix tells.
 * @returns undefined when there is none; a sentence when there is one that cannot go on, whose
 * journal is removed. Its objects stay: whoever sweeps proves first that nobody publishes them.
 */
export async function resumeUpload(
  options: Surroundings,
  wanted: Wanted,
  { journalPath }: UploadOptions,
  signal: AbortSignal,
): Promise<ResumedUpload | string | undefined> {
  const { log, clock } = options;
  if (journalPath === undefined) return undefined;
  const journal = await UploadJournal.find(journalPath, log);
  if (!journal) {
    await removeJournal(journalPath, log);
    return undefined;
  }
  try {
    const misfit = misfitOf(journal, wanted, clock.nowMs());
    const found = misfit ?? (await findObjects(options, journal, signal));
    const attempt = { createdMs: wanted.plan.createdMs, beganMs: clock.nowMs() };
    if (typeof found !== 'string' && (await journal.goOn(attempt))) return found;
    await journal.remove();
    const { cloudsnapId } = journal.head;
    const reason = typeof found === 'string' ? found : 'its journal cannot be written';
    log.info('upload.given-up', { cloudsnapId, reason });
    return reason;
  } catch (error) {
    await journal.close();
    throw error;
  }
}

/** Why the journal is not of this upload; undefined when it is. */
function misfitOf(journal: UploadJournal, wanted: Wanted, nowMs: number): string | undefined {
  const { head, attempts, packs } = journal;
  const { plan, slots } = wanted;
  const name = requireSnapName(head.cloudsnapId.slice(head.cloudsnapId.indexOf('/') + 1));
  const { repositoryId, keyId, blockBytes, blockCount, parent } = wanted.head;
  const first = attempts[0]?.beganMs ?? 0;
  const checks: readonly (readonly [fits: boolean, otherwise: string])[] = [
    [name.volumeId === plan.volume.id, 'it is of another volume'],
    [head.repositoryId === repositoryId, 'it is of another repository'],
    [head.keyId === keyId, 'the repository has another key'],
    [
      head.blockBytes === blockBytes && head.blockCount === blockCount,
      'the volume has another size',
    ],
    [
      head.parent?.cloudsnapId === parent?.cloudsnapId &&
        head.parent?.manifestSha256 === parent?.manifestSha256,
      'it follows another cloudsnap',
    ],
    [name.sequence === nextSequence(slots), 'its number is taken'],
    // A clock that was set back makes it no older than one that was not.
    [Math.abs(nowMs - first) <= MAX_JOURNAL_AGE_MS, 'it is too old'],
    [attempts.length < MAX_ATTEMPTS, 'it was cut off too often'],
    // An earlier manifest may yet appear. It must not pass for the one that is made now.
    [attempts.every(({ createdMs }) => createdMs !== plan.createdMs), 'the clock was set back'],
    [packs.length > 0, 'nothing had arrived'],
  ];
  return checks.find(([fits]) => !fits)?.[1];
}

/** A pack that is gone, or is not as long as it was: somebody removes what is there. */
async function findObjects(
  { store, clusterId }: Surroundings,
  journal: UploadJournal,
  signal: AbortSignal,
): Promise<ResumedUpload | string> {
  const { cloudsnapId } = journal.head;
  const name = requireSnapName(cloudsnapId.slice(cloudsnapId.indexOf('/') + 1));
  const { snapName } = name;
  const sizes = new Map<string, number>();
  for await (const { key, sizeBytes } of store.list(snapPrefix(clusterId, snapName), { signal })) {
    sizes.set(key, sizeBytes);
  }
  const open = openKey(clusterId, snapName);
  const openBytes = sizes.get(open);
  const areThere = journal.packs.every(
    ({ packId, packBytes }) => sizes.get(packKey(clusterId, { snapName, packId })) === packBytes,
  );
  if (openBytes === undefined || !areThere) return 'what it had stored is no longer there';
  sizes.delete(open);
  const attempt = journal.attempts.length;
  const earlier = new EarlierPacks(journal, snapName);
  return { name, journal, attempt, earlier, openBytes, stored: [...sizes.keys()] };
}

/** Another writer goes on with the same upload, from a copy of the same journal. */
export function overtaken(cloudsnapId: string, cause: unknown): CloudvolError {
  return new CloudvolError('cloudsnap/lost-race', `another writer goes on with ${cloudsnapId}`, {
    hint: 'let one host at a time back up a volume, then try again',
    cause,
  });
}
