import type { RetentionRules } from '../../cloudsnap/retention/retention-rules.ts';
import type { ScheduleKind, ScheduleRule } from './schedule-rule.ts';

declare const brand: unique symbol;
export type ScheduleId = string & { readonly [brand]: 'ScheduleId' };

/** What a schedule keeps besides the newest ones of each kind. */
export type ScheduleRetention = Omit<RetentionRules, 'last'>;

/** What a user says of a schedule, and may change later. */
export interface SchedulePlan {
  readonly credentialId: string;
  /** At least one; each by itself, so that a volume may be backed up daily and monthly. */
  readonly rules: readonly ScheduleRule[];
  /** Cloudsnaps from one full to the next; with a retention, also what is kept of each kind. */
  readonly maxCloudsnaps: number;
  /** Every cloudsnap a full one. */
  readonly full: boolean;
  /** null: nothing that it made is ever removed. */
  readonly retention: ScheduleRetention | null;
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
  readonly lastRetention: RetentionRun | null;
}

/** The latest time that a schedule looked for cloudsnaps to remove. */
export interface RetentionRun {
  readonly endedMs: number;
  readonly removed: number;
  /** Why not all were removed; null when they were. */
  readonly failure: string | null;
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
