/** How values look in tables, as users of the original know them. */

/** `Wed, 16 Jan 2019 22:27:30 UTC`; empty for null. */
export function formatTime(iso: string | null): string {
  return iso === null ? '' : new Date(iso).toUTCString().replace('GMT', 'UTC');
}

/** `3m29.826s`, `17.46s`, `420ms`: a duration as Go prints it, to the millisecond. */
export function formatDuration(milliseconds: number): string {
  const ms = Math.round(milliseconds);
  if (ms < 1000) return ms === 0 ? '0s' : `${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = `${(ms % 60_000) / 1000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}

/** `k=v, k2=v2` */
export function formatLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
}
