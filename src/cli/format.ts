/** How values look in tables, as users of the original know them. */

/**
 * `Wed, 16 Jan 2019 22:27:30 UTC`, or the same in the zone of this host; empty for null.
 */
export function formatTime(iso: string | null, { local = false } = {}): string {
  if (iso === null) return '';
  const date = new Date(iso);
  return local ? localTime(date) : date.toUTCString().replace('GMT', 'UTC');
}

function localTime(date: Date): string {
  const format = new Intl.DateTimeFormat('en-GB', {
    weekday: 'short',
    day: '2-digit',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'short',
  });
  const parts = Object.fromEntries(
    format.formatToParts(date).map(({ type, value }) => [type, value]),
  );
  const { weekday, day, month, year, hour, minute, second, timeZoneName } = parts;
  return `${weekday}, ${day} ${month} ${year} ${hour}:${minute}:${second} ${timeZoneName}`;
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
