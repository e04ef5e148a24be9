import { CloudvolError, hasCode } from '../base/errors.ts';
import type { Clock } from '../base/clock.ts';
import type { ClusterId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { newSnapName, requireSnapName } from '../format/cloudsnap-id.ts';
import type { Manifest } from '../format/manifest.ts';
import type { JournalHead } from '../format/upload-journal.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { checkParent, nextSequence } from './chain.ts';
import type { CloudsnapPlan, CloudsnapWriter, UploadOptions } from './cloudsnap-api.ts';
import { CloudsnapUpload } from './cloudsnap-upload.ts';
import { IndexReader } from './index-reader.ts';
import type { ManifestCatalog } from './manifest-catalog.ts';
import { checkDraft } from './manifest-draft.ts';
import { openKey } from './object-keys.ts';
import { encodeOpen } from './open-record.ts';
import type { Ownership } from './ownership.ts';
import type { RepositoryCipher } from './repository-cipher.ts';
import { resumeUpload } from './resume-upload.ts';
import type { RootCipher } from './root-cipher.ts';
import { UploadJournal } from './upload-journal.ts';
import { Uploads } from './uploads.ts';

export interface BeginOptions {
  readonly store: ObjectStore;
  readonly clusterId: ClusterId;
  readonly catalog: ManifestCatalog;
  readonly ciphers: RepositoryCipher;
  readonly clock: Clock;
  readonly log: Log;
  /** Most objects of one cloudsnap on their way at once. */
  readonly uploadsAtOnce: number;
  readonly packTargetBytes?: number;
  readonly repositoryId: string;
  readonly ownership: Ownership;
  /** Told the snap name of the upload, and when it has ended. */
  readonly onUpload: (snapName: string) => () => unknown;
}

/** Checks the plan, takes the next sequence number and puts the first objects. */
export async function beginCloudsnap(
  options: BeginOptions,
  plan: CloudsnapPlan,
  signal: AbortSignal,
  upload: UploadOptions = {},
): Promise<CloudsnapWriter> {
  const { store, clusterId, catalog, ciphers, clock, log, uploadsAtOnce } = options;
  const place = { clusterId, volumeId: plan.volume.id };
  const generation = await options.ownership.ensure(place, signal);
  const slots = await catalog.slots(clusterId, plan.volume.id, signal);
  checkParent(plan, slots);
  const incremental = plan.parent !== null;
  const newName = requireSnapName(newSnapName(plan.volume.id, nextSequence(slots), incremental));
  checkDraft(plan, clusterId, newName);
  const cipher = await ciphers.forWriting(clusterId, signal);
  const parent = plan.parent && (await openParent(options, plan.parent.manifest, cipher, signal));
  const head = journalHeadOf(options, plan, cipher);
  // The last that may fail before the writer is there: what it finds is an open file.
  const found = await resumeUpload(options, { plan, slots, head }, upload, signal);
  const resumed = typeof found === 'string' ? undefined : found;
  const name = resumed?.name ?? newName;
  const openBytes =
    resumed?.openBytes ?? (await putOpen(options, name.snapName, generation, cipher, signal));
  const attempt = { createdMs: plan.createdMs, beganMs: clock.nowMs() };
  const cloudsnapId = `${clusterId}/${name.snapName}`;
  const journal =
    resumed?.journal ??
    (upload.journalPath === undefined
      ? undefined
      : UploadJournal.create(upload.journalPath, log, { ...head, cloudsnapId }, attempt));
  return new CloudsnapUpload({
    store,
    clusterId,
    plan,
    name,
    parent: parent ?? undefined,
    uploads: new Uploads({ store, limit: uploadsAtOnce, signal, onStored: upload.onStored }),
    cipher,
    packTargetBytes: options.packTargetBytes,
    journal,
    resumed,
    givenUp: typeof found === 'string' ? found : undefined,
    openBytes,
    tenure: {
      requireStill: (until) => options.ownership.requireStill(place, generation, until),
      renewIfDue: () => options.ownership.renewIfDue(place, signal),
    },
    onEnded: options.onUpload(name.snapName),
    signal,
    clock,
    log,
  });
}

/** What an upload that goes on must agree in. */
function journalHeadOf(
  { repositoryId }: BeginOptions,
  { parent, volume: { geometry } }: CloudsnapPlan,
  { masterKeyId }: RootCipher,
): Omit<JournalHead, 'cloudsnapId'> {
  const { blockBytes, blockCount } = geometry;
  return {
    repositoryId,
    keyId: masterKeyId ?? '',
    blockBytes,
    blockCount,
    parent: parent && {
      cloudsnapId: parent.manifest.cloudsnapId,
      manifestSha256: parent.manifestSha256,
    },
  };
}

/**
 * An incremental names frames of its parent's packs, so that one master key has to open both.
 * @throws CloudvolError `cloudsnap/parent-mismatch`
 */
async function openParent(
  { store }: BeginOptions,
  manifest: Manifest,
  cipher: RootCipher,
  signal: AbortSignal,
): Promise<IndexReader> {
  if (manifest.masterKeyId === cipher.masterKeyId) {
    return await IndexReader.open({ store, manifest, cipher }, signal);
  }
  const { cloudsnapId } = manifest;
  throw new CloudvolError(
    'cloudsnap/parent-mismatch',
    `the parent ${cloudsnapId} is encrypted under another master key`,
    { hint: 'take a full cloudsnap', details: { cloudsnapId } },
  );
}

/**
 * Says since when there are objects of this cloudsnap, for whoever finds them without a manifest.
 */
async function putOpen(
  { store, clusterId, clock }: BeginOptions,
  snapName: string,
  generation: number,
  cipher: RootCipher,
  signal: AbortSignal,
): Promise<number> {
  const cloudsnapId = `${clusterId}/${snapName}`;
  const key = openKey(clusterId, snapName);
  const record = { cloudsnapId, openedMs: clock.nowMs(), generation };
  const body = encodeOpen(record, cipher.sealing(key));
  const ifAbsent = store.capabilities.conditionalPut;
  try {
    await store.put(key, body, { ifAbsent, signal });
  } catch (error) {
    if (!hasCode(error, 'store/exists')) throw error;
    throw new CloudvolError('cloudsnap/lost-race', `another writer has begun ${cloudsnapId}`, {
      hint: 'let one host at a time back up a volume, then try again',
      cause: error,
    });
  }
  return body.length;
}
