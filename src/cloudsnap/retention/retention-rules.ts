import { PERIODS, type Period } from './retention-period.ts';

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

/** For people: `last 7, 30 days, daily 14`; empty without a rule. */
export function retentionText({ last, withinDays, ...periods }: RetentionRules): string {
  const parts = [
    ...(last === undefined ? [] : [`last ${last}`]),
    ...(withinDays === undefined ? [] : [daysText(withinDays)]),
    ...PERIODS.filter((period) => periods[period] !== undefined).map(
      (period) => `${period} ${periods[period]}`,
    ),
  ];
  return parts.join(', ');
}

export function daysText(days: number): string {
  return days === 1 ? '1 day' : `${days} days`;
}
