import { CloudvolError, messageOf } from '../../base/errors.ts';
import { mapLimited } from '../../base/map-limited.ts';
import type { CloudsnapEntry } from '../../cloudsnap/cloudsnap-api.ts';
import { notFound } from '../../cloudsnap/manifest-catalog.ts';
import type { TaskContext, TaskRecord } from '../../tasks/task-api.ts';
import type { TaskRunner } from '../../tasks/task-runner.ts';
import type { CloudsnapService } from '../services/cloudsnap-service.ts';
import type { RetentionPlanner, RetentionScope } from './retention-planner.ts';

export interface PruneDeps {
  readonly planner: RetentionPlanner;
  readonly cloudsnaps: Pick<CloudsnapService, 'startDelete'>;
  readonly tasks: Pick<TaskRunner, 'ended' | 'stop'>;
}

export interface PruneRequest {
  readonly scope: RetentionScope;
  /** What a plan of the scope removes. */
  readonly entries: readonly CloudsnapEntry[];
}

/** Volumes whose cloudsnaps are deleted at the same time: as many as delete tasks run. */
const VOLUMES_AT_ONCE = 4;

/** It was removed by somebody else, or is to be kept by now: neither is a failure. */
const CHANGED = ['cloudsnap/not-found', 'retention/kept'];

/**
 * Deletes cloudsnaps by a task each, those of one volume one after another, dependants before
 * bases. Each is looked at again when its turn has come: what the rules keep by then stays. One
 * that cannot be deleted does not hold up the others.
 * @throws CloudvolError `retention/incomplete` at the end when some were not deleted.
 */
export async function runPrune(
  deps: PruneDeps,
  request: PruneRequest,
  task: TaskContext,
): Promise<void> {
  const { entries } = request;
  const bytesOf = ({ manifest }: CloudsnapEntry) => manifest.statistics.storedBytes;
  const bytesTotal = entries.reduce((sum, entry) => sum + bytesOf(entry), 0);
  const failures: string[] = [];
  let [removed, removedBytes] = [0, 0];
  task.progress({ bytesTotal, bytesDone: 0 });
  const prune = async (entry: CloudsnapEntry) => {
    task.signal.throwIfAborted();
    const outcome = await remove(deps, request.scope, entry, task.signal);
    if (outcome === 'removed') {
      removed += 1;
      removedBytes += bytesOf(entry);
      task.progress({ bytesDone: removedBytes });
    } else if (outcome !== 'changed') {
      failures.push(outcome.sentence);
      task.note(`${outcome.sentence}.`);
    }
    task.result({ removed, removedBytes, failed: failures.length });
  };
  const byVolume = Map.groupBy(entries, ({ manifest }) => manifest.volume.id);
  await mapLimited(
    byVolume.values(),
    async (ofVolume) => {
      for (const entry of newestFirst(ofVolume)) await prune(entry);
    },
    { limit: VOLUMES_AT_ONCE, signal: task.signal },
  );
  if (failures.length === 0) return;
  throw new CloudvolError(
    'retention/incomplete',
    `${failures.length} of ${entries.length} cloudsnaps were not removed`,
    { hint: 'see to the causes and prune again: what was kept by its rules is still kept' },
  );
}

function newestFirst(entries: readonly CloudsnapEntry[]): CloudsnapEntry[] {
  return entries.toSorted((a, b) => b.manifest.sequence - a.manifest.sequence);
}

type Outcome = 'removed' | 'changed' | { readonly sentence: string };

async function remove(
  deps: PruneDeps,
  scope: RetentionScope,
  entry: CloudsnapEntry,
  signal: AbortSignal,
): Promise<Outcome> {
  const { cloudsnapId } = entry.manifest;
  const { repository, credentialId, takeover = false } = scope;
  const confirm = (inTurn: AbortSignal) => requireRemoved(deps.planner, scope, entry, inTurn);
  const failed = (why: string) => ({ sentence: `${cloudsnapId} was not removed: ${why}` });
  let record: TaskRecord;
  try {
    const wanted = { repository, entry, credentialId, takeover, confirm };
    record = await deps.cloudsnaps.startDelete(wanted, signal);
  } catch (error) {
    signal.throwIfAborted();
    return failed(messageOf(error));
  }
  const ended = await endedOrStopped(deps, record, signal);
  if (ended.state === 'Done') return 'removed';
  if (CHANGED.includes(String(ended.result['errorCode']))) return 'changed';
  return failed(ended.info.join('; '));
}

/** Who stops a prune stops the deletion that it waits for. */
async function endedOrStopped(
  { tasks }: PruneDeps,
  { id }: TaskRecord,
  signal: AbortSignal,
): Promise<TaskRecord> {
  const ended = tasks.ended(id);
  const stop = () => {
    try {
      tasks.stop(id);
    } catch {
      // It has just ended by itself.
    }
  };
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await ended;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Since the plan was made there may have been a backup, damage, a restore, another prune. */
async function requireRemoved(
  planner: RetentionPlanner,
  scope: RetentionScope,
  { manifest: { cloudsnapId, volume } }: CloudsnapEntry,
  signal: AbortSignal,
): Promise<void> {
  const planned = await planner.plan({ ...scope, volumeId: volume.id }, signal);
  const found = planned.find(({ entry }) => entry.manifest.cloudsnapId === cloudsnapId);
  if (!found) throw notFound(cloudsnapId);
  if (!found.isKept) return;
  const reasons = found.reasons.join(', ');
  throw new CloudvolError('retention/kept', `${cloudsnapId} is kept after all: ${reasons}`);
}
