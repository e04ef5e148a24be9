import type { ScheduleView } from '../../../control/schemas.ts';
import { defineCommand } from '../../command.ts';
import { formatTime } from '../../format.ts';

/** The original's, and what its users look for next: when, and whether it worked. */
const COLUMNS = [
  'UUID',
  'VOLUMEID',
  'MAX-BACKUPS',
  'FULL',
  'SCHEDULE(UTC)',
  'NEXT-RUN',
  'LAST-RUN',
];

export const command = defineCommand({
  arguments: [],
  options: { src: { kind: 'text', alias: ['s'], about: 'of this volume, by name or id' } },
  async run({ client, output, json, signal }, { src }) {
    const filter = src === undefined ? {} : { volume: src };
    const schedules = await client.call('listSchedules', filter, { signal });
    if (json) output.json(schedules);
    else output.table(COLUMNS, schedules.map(rowOf));
  },
});

function rowOf(schedule: ScheduleView): string[] {
  const { id, volumeId, max, full, rules, nextRun } = schedule;
  const times = rules.map(({ kind, at }) =>
    kind === 'Periodic' ? `periodic ${at}m` : `${kind.toLowerCase()} ${at}`,
  );
  const cells = [id, volumeId, String(max), String(full), times.join(', ')];
  return [...cells, formatTime(nextRun), lastRunOf(schedule)];
}

function lastRunOf({ lastRun }: ScheduleView): string {
  if (!lastRun) return 'never';
  const time = formatTime(lastRun.started);
  return lastRun.failure === null ? time : `${time}: not started: ${lastRun.failure}`;
}
