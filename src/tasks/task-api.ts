import type { TaskId } from '../base/ids.ts';

/** The words of the specification; printed as `Backup-Active`, `Restore-Done`, … */
export const TASK_STATES = [
  'NotStarted',
  'Queued',
  'Active',
  'Paused',
  'Stopped',
  'Aborted',
  'Failed',
  'Done',
] as const;
export type TaskState = (typeof TASK_STATES)[number];
export const TASK_KINDS = ['Backup', 'Restore', 'Hydrate', 'Delete', 'Verify', 'Prune'] as const;
export type TaskKind = (typeof TASK_KINDS)[number];

/** One asynchronous piece of work, as stored and shown. Finished ones are the history. */
export interface TaskRecord {
  readonly id: TaskId;
  readonly kind: TaskKind;
  readonly state: TaskState;
  readonly volumeId: string;
  readonly volumeName: string;
  /** The cloudsnap it makes, reads or deletes; empty until it is known. */
  readonly cloudsnapId: string;
  readonly credentialId: string;
  readonly bytesTotal: number;
  readonly bytesDone: number;
  readonly createdMs: number;
  readonly startedMs: number | null;
  readonly endedMs: number | null;
  /** The cause of a failure, warnings, the reason for a full: sentences for people. */
  readonly info: readonly string[];
  /** Numbers that the kind of task reports when it ends (uploaded bytes, requests …). */
  readonly result: Readonly<Record<string, number | string>>;
}

/** What a running task may do. */
export interface TaskContext {
  readonly id: TaskId;
  /** Aborted by `stop` (reason: CloudvolError task/stopped) and by shutdown (task/interrupted). */
  readonly signal: AbortSignal;
  progress(update: { bytesTotal?: number; bytesDone?: number; cloudsnapId?: string }): void;
  note(sentence: string): void;
  result(values: Readonly<Record<string, number | string>>): void;
}
