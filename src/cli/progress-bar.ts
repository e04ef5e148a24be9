import { formatByteSize } from '../base/byte-size.ts';
import type { TaskView } from '../control/schemas.ts';
import { formatDuration } from './format.ts';

const MAX_BAR = 40;
const MIN_BAR = 5;

/** `Backup-Active [#####.....] 50% 1.2 GiB/2.4 GiB 110 MiB/s 11s left`, within `columns`. */
export function progressBar(task: TaskView, columns: number): string {
  const { bytesDone, bytesTotal, elapsedMs, etaSeconds } = task;
  const share = bytesTotal === 0 ? 0 : Math.min(1, bytesDone / bytesTotal);
  const left = `${task.kind}-${task.state}`;
  const right = [
    `${Math.floor(share * 100)}%`,
    `${formatByteSize(bytesDone)}/${formatByteSize(bytesTotal)}`,
    ...(elapsedMs > 0 ? [`${formatByteSize((bytesDone / elapsedMs) * 1000)}/s`] : []),
    ...(etaSeconds === null ? [] : [`${formatDuration(etaSeconds * 1000)} left`]),
  ].join(' ');
  // One column stays free: a full line would wrap, and could not be erased.
  const room = columns - left.length - right.length - ' [] '.length - 1;
  if (room < MIN_BAR) return `${left} ${right}`.slice(0, columns - 1);
  const width = Math.min(MAX_BAR, room);
  const full = Math.floor(share * width);
  return `${left} [${'#'.repeat(full)}${'.'.repeat(width - full)}] ${right}`;
}
