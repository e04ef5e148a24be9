import type { TaskKind, TaskRecord } from './task-api.ts';

/** What is known of a task before it runs. */
export interface TaskSpec {
  readonly kind: TaskKind;
  readonly volumeId: string;
  readonly volumeName: string;
  readonly cloudsnapId?: string;
  readonly credentialId?: string;
  /** Tasks with the same lane run one after another, in the order of submission. */
  readonly lane?: string;
  /** Known from the start, so that it is on record whatever happens. */
  readonly result?: TaskRecord['result'];
}
