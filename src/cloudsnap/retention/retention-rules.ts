import type { Period } from './retention-period.ts';

/**
 * Which cloudsnaps of a volume are kept. Whatever one rule keeps is kept; a rule that is not given
 * keeps nothing. Numbers are whole and above zero.
 */
export interface RetentionRules extends Readonly<Partial<Record<Period, number>>> {
  /** So many of the newest. */
  readonly last?: number;
  /** Those made within so many days of 24 hours before the newest. */
  readonly withinDays?: number;
}

/** Whether any rule is given: without one there would be nothing to keep. */
export function hasRetentionRule(rules: RetentionRules): boolean {
  return Object.values(rules).some((value) => value !== undefined);
}
