import { CloudvolError, messageOf } from '../base/errors.ts';
import { translateHostError } from '../base/host-error.ts';
import { newTaskId } from '../base/ids.ts';
import type { TaskRecord, TaskState } from './task-api.ts';
import type { TaskSpec } from './task-spec.ts';

/** How a task looks when it is submitted. */
export function newTaskRecord(spec: TaskSpec, nowMs: number): TaskRecord {
  return {
    id: newTaskId(),
    kind: spec.kind,
    state: 'Queued',
    volumeId: spec.volumeId,
    volumeName: spec.volumeName,
    cloudsnapId: spec.cloudsnapId ?? '',
    credentialId: spec.credentialId ?? '',
    bytesTotal: 0,
    bytesDone: 0,
    createdMs: nowMs,
    startedMs: null,
    endedMs: null,
    info: [],
    result: spec.result ?? {},
  };
}

/** By the reason for which its work was cut off. */
const STATES: Readonly<Record<string, TaskState>> = {
  'task/stopped': 'Stopped',
  'task/paused': 'Paused',
  'task/interrupted': 'Aborted',
};

/** What becomes of a task whose work rejected: by why it was told to stop, if it was. */
export function failedRecord(
  record: TaskRecord,
  signal: AbortSignal,
  error: unknown,
): Partial<TaskRecord> {
  const reason: unknown = signal.aborted ? signal.reason : translateHostError(error);
  const code = reason instanceof CloudvolError ? reason.code : 'task/failed';
  const hint = reason instanceof CloudvolError ? reason.hint : undefined;
  const state = STATES[code] ?? 'Failed';
  const sentences = hint === undefined ? [messageOf(reason)] : [messageOf(reason), hint];
  return {
    state,
    info: [...record.info, ...sentences],
    result: { ...record.result, errorCode: code },
  };
}
