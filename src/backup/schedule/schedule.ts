import type { ScheduleKind, ScheduleRule } from './schedule-rule.ts';

declare const brand: unique symbol;
export type ScheduleId = string & { readonly [brand]: 'ScheduleId' };

/** What a user says of a schedule, and may change later. */
export interface SchedulePlan {
  readonly credentialId: string;
  /** At least one; each by itself, so that a volume may be backed up daily and monthly. */
  readonly rules: readonly ScheduleRule[];
  /** Cloudsnaps from one full to the next. */
  readonly maxCloudsnaps: number;
  /** Every cloudsnap a full one. */
  readonly full: boolean;
}

/** When a volume is backed up without being told to. */
export interface Schedule extends SchedulePlan {
  readonly id: ScheduleId;
  readonly volumeId: string;
  readonly createdMs: number;
  /**
   * Everything that was due up to here has been seen to. On disk before the backup begins: an agent
   * that dies in between makes up for it no second time.
   */
  readonly handledMs: number;
  readonly lastRun: ScheduleRun | null;
}

/** The latest attempt to start a backup. */
export interface ScheduleRun {
  readonly kind: ScheduleKind;
  /** When it was due, and when it was seen to. */
  readonly dueMs: number;
  readonly startedMs: number;
  /** The backup's task; null when none could be started. */
  readonly taskId: string | null;
  /** Why none was started; null when one was. */
  readonly failure: string | null;
}
