/** Periods in UTC, each with a rule that keeps the newest cloudsnap of so many of them. */
export const PERIODS = ['daily', 'weekly', 'monthly', 'yearly'] as const;
export type Period = (typeof PERIODS)[number];

const DAY_MS = 24 * 3_600_000;
/** 1970-01-01 was one: weeks of ISO 8601 belong to the year that their Thursday is in. */
const THURSDAY = 3;

/**
 * Names the period that an instant is in: `2026-11-27`, `2026-W48`, `2026-11`, `2026`.
 * @param atMs since 1970, as a manifest has it.
 */
export function periodAt(period: Period, atMs: number): string {
  if (period === 'weekly') return isoWeek(atMs);
  // Years beyond 9999 have a sign and six digits.
  const [date = ''] = new Date(atMs).toISOString().split('T');
  if (period === 'daily') return date;
  return date.slice(0, period === 'monthly' ? -'-dd'.length : -'-mm-dd'.length);
}

function isoWeek(atMs: number): string {
  const day = Math.floor(atMs / DAY_MS);
  const weekday = (day + THURSDAY) % 7; // Monday is 0.
  const thursday = day - weekday + THURSDAY;
  const year = periodAt('yearly', thursday * DAY_MS);
  const firstDay = Date.UTC(new Date(thursday * DAY_MS).getUTCFullYear(), 0, 1) / DAY_MS;
  const week = 1 + Math.floor((thursday - firstDay) / 7);
  return `${year}-W${String(week).padStart(2, '0')}`;
}
