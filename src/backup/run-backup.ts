import { formatByteSize } from '../base/byte-size.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type {
  CloudsnapEntry,
  CloudsnapPlan,
  CloudsnapRepository,
  CloudsnapType,
  CloudsnapWriter,
  Consistency,
  UploadOptions,
} from '../cloudsnap/cloudsnap-api.ts';
import type { DamageRecord, DamageRegister } from '../cloudsnap/damage-register.ts';
import { damagedObjectOf } from '../cloudsnap/damaged-object.ts';
import type { TaskContext } from '../tasks/task-api.ts';
import type { BackupSource, FrozenView, HeldInstant } from '../volume/volume-api.ts';
import { backupResult } from './backup-result.ts';
import { tipOf } from './chain-tip.ts';
import { copyBlocks } from './copy-blocks.ts';
import { PhaseTimes } from './phase-times.ts';
import { planBackup, type BackupPlan } from './plan-backup.ts';
import { withRepair } from './with-repair.ts';

export interface BackupRequest {
  readonly source: BackupSource;
  readonly repository: CloudsnapRepository;
  readonly type: CloudsnapType;
  /** A full one whatever the chain says. */
  readonly full: boolean;
  /** Cloudsnaps from one full to the next; see DEFAULT_FREQUENCY. */
  readonly frequency: number;
  readonly consistency: Consistency;
  /** Of the cloudsnap, where they differ from the volume's. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Takes the volume over from another host at once, whatever that one does. */
  readonly takeover?: boolean;
  /** What is known to be damaged, and is to be made up for. */
  readonly damage: DamageRegister;
  /** The instant, if it was taken before; it is released here. */
  readonly held?: HeldInstant;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Takes one cloudsnap of a volume: what it held at one instant, while writes go on.
 *
 * When it rejects, for whatever reason, the volume's chain and dirty bits are as they were, so that
 * the next cloudsnap holds everything this one would have. One doubt can remain, whether the
 * manifest was put or not: it is settled when the next cloudsnap is planned. The error is the first
 * thing that went wrong; tidying up never hides it.
 */
export async function runBackup(
  request: BackupRequest,
  task: TaskContext,
): Promise<CloudsnapEntry> {
  const { held } = request;
  if (!held) return await takeCloudsnap(request, task);
  try {
    return await takeCloudsnap(request, task);
  } finally {
    await release(held, request);
  }
}

async function takeCloudsnap(request: BackupRequest, task: TaskContext): Promise<CloudsnapEntry> {
  const { source, repository, held, log } = request;
  const times = new PhaseTimes(request.clock);
  const damage = request.damage
    .of(repository.id, source.id)
    .filter(({ repairedBy }) => repairedBy === null);
  const plan = await times.measure('plan', () => settlePlan(request, damage, task));
  task.signal.throwIfAborted();
  const view = await times.measure('freeze', () =>
    held ? held.settle(plan) : source.freeze(plan),
  );
  try {
    const { entry, reusedBlocks } = await upload(request, plan, view, task, times);
    // From here on the cloudsnap exists: a stop comes too late, the chain has to know of it.
    await times.measure('chain', () => source.commitChain(tipOf(entry, repository.id, view.epoch)));
    noteRepair(request, damage, entry);
    task.result(backupResult(entry.manifest, reusedBlocks, times));
    log.info('backup.completed', {
      taskId: task.id,
      volumeId: source.id,
      cloudsnapId: entry.manifest.cloudsnapId,
      ...entry.manifest.statistics,
    });
    return entry;
  } catch (error) {
    noteDamage(request, error);
    throw error;
  } finally {
    if (!held) await release(view, request);
  }
}

/**
 * Compares the volume's chain with what the repository shows; first makes up for a commit that was
 * not noted.
 */
async function settlePlan(
  request: BackupRequest,
  damage: readonly DamageRecord[],
  task: TaskContext,
): Promise<BackupPlan> {
  const { source, repository, log } = request;
  const { takeover = false } = request;
  // Before anything is looked at: it may take a while.
  const onWait = (sentence: string) => task.note(sentence);
  await repository.own(source.id, { takeover, onWait }, task.signal);
  const visible = await repository.list({ volumeId: source.id }, task.signal);
  const decided = planBackup({
    tip: source.chainTip(repository.id),
    pending: source.pendingCommit(repository.id),
    visible,
    geometry: source.attributes.geometry,
    frequency: request.frequency,
    full: request.full,
    deltasCompleteSince: (epoch) => source.deltasCompleteSince(epoch),
  });
  if (decided.adopt) {
    await source.commitChain(decided.adopt);
    task.note(`${decided.adopt.cloudsnapId} was complete though its task did not end: adopted.`);
    log.info('backup.commit-adopted', { volumeId: source.id, ...decided.adopt });
  }
  const plan = await withRepair(decided, { repository, damage, visible }, task);
  if (plan.kind === 'full') task.note(plan.sentence);
  return plan;
}

async function upload(
  request: BackupRequest,
  plan: BackupPlan,
  view: FrozenView,
  task: TaskContext,
  times: PhaseTimes,
): Promise<{ readonly entry: CloudsnapEntry; readonly reusedBlocks: number }> {
  const { source, repository } = request;
  const { signal } = task;
  const { blockBytes } = view.geometry;
  const bytesTotal = view.plannedBlocks * blockBytes;
  const writer = await times.measure('begin', () =>
    repository.begin(cloudsnapPlan(request, plan, view), signal, uploadOptions(request, task)),
  );
  try {
    noteEarlier(writer, task);
    task.progress({ bytesTotal, bytesDone: 0, cloudsnapId: writer.cloudsnapId });
    await times.measure('copy', () =>
      copyBlocks({
        source,
        view,
        writer,
        signal,
        onCopied: (blocks) => task.progress({ bytesDone: blocks * blockBytes }),
      }),
    );
    const entry = await times.measure('commit', () => commit(request, view, writer, signal));
    return { entry, reusedBlocks: writer.reusedBlocks };
  } catch (error) {
    const { keptBytes } = await writer.abort();
    if (keptBytes > 0) {
      const kept = formatByteSize(keptBytes);
      task.note(`${kept} are stored already: the next backup of the volume goes on with them.`);
    }
    throw error;
  }
}

function uploadOptions({ source, repository }: BackupRequest, task: TaskContext): UploadOptions {
  const journalPath = source.uploadJournalPath(repository.id);
  return {
    ...(journalPath === undefined ? {} : { journalPath }),
    // No news, but a sign of life for whoever watches the task.
    onStored: () => task.progress({}),
  };
}

function noteEarlier({ earlier }: CloudsnapWriter, task: TaskContext): void {
  if (earlier.kind === 'resumed') {
    task.note(`Went on with ${formatByteSize(earlier.storedBytes)} uploaded earlier.`);
  } else if (earlier.kind === 'given-up') {
    task.note(`Does not go on with the backup that was cut off before: ${earlier.reason}.`);
  }
}

/** The intent is durable before the manifest can be: see PendingCommit. */
async function commit(
  { source, repository }: BackupRequest,
  view: FrozenView,
  writer: CloudsnapWriter,
  signal: AbortSignal,
): Promise<CloudsnapEntry> {
  signal.throwIfAborted();
  await source.recordPendingCommit({
    repositoryId: repository.id,
    cloudsnapId: writer.cloudsnapId,
    epoch: view.epoch,
    createdMs: view.frozenAtMs,
  });
  return await writer.commit();
}

function cloudsnapPlan(
  { source, type, consistency, labels }: BackupRequest,
  plan: BackupPlan,
  view: FrozenView,
): CloudsnapPlan {
  const { name, fileSystem, labels: ofVolume } = source.attributes;
  return {
    volume: {
      id: source.id,
      name,
      geometry: view.geometry,
      fileSystem,
      labels: labels ?? ofVolume,
    },
    parent: plan.kind === 'incremental' ? plan.parent : null,
    ...(plan.kind === 'incremental' && plan.repair ? { repair: plan.repair } : {}),
    fullReason: plan.kind === 'full' ? plan.reason : null,
    createdMs: view.frozenAtMs,
    type,
    consistency,
    plannedBlocks: view.plannedBlocks,
  };
}

async function release(
  view: FrozenView | HeldInstant,
  { source, log }: BackupRequest,
): Promise<void> {
  try {
    await view.release();
  } catch (error) {
    // The outcome of the backup stands: neither is a made cloudsnap a failure, nor is a failure's
    // cause to be hidden.
    log.error('backup.view-not-released', { volumeId: source.id, epoch: view.epoch, error });
  }
}

/** The new cloudsnap does without what was damaged: a full one anyhow, an incremental by plan. */
function noteRepair(
  { damage, log }: BackupRequest,
  records: readonly DamageRecord[],
  { manifest: { cloudsnapId } }: CloudsnapEntry,
): void {
  if (records.length === 0) return;
  try {
    damage.repaired(records, cloudsnapId);
    log.info('backup.damage-repaired', { cloudsnapId, objects: records.length });
  } catch (error) {
    // The next backup looks for it again and finds nothing left to repair.
    log.error('backup.repair-not-noted', { cloudsnapId, error });
  }
}

/** What cannot be read of the volume's own chain is made up for by the next backup. */
function noteDamage({ damage, repository, source, log }: BackupRequest, error: unknown): void {
  const found = damagedObjectOf(error, repository.id);
  if (found?.volumeId !== source.id) return;
  try {
    damage.note(found);
  } catch (unnoted) {
    log.error('backup.damage-not-noted', { object: found.object, error: unnoted });
  }
}
