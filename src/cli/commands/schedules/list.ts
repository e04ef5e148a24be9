import type { ScheduleView } from '../../../control/schemas.ts';
import { defineCommand, type CommandContext } from '../../command.ts';
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
  examples: ['cloudvol cloudsnap schedules list', 'cloudvol cloudsnap schedules list --src db'],
  arguments: [],
  options: { src: { kind: 'text', alias: ['s'], about: 'of this volume, by name or id' } },
  async run(context, { src }) {
    const { client, output, json, signal } = context;
    const filter = src === undefined ? {} : { volume: src };
    const schedules = await client.call('listSchedules', filter, { signal });
    if (json) output.json(schedules);
    else
      output.table(
        COLUMNS,
        schedules.map((schedule) => rowOf(schedule, context)),
      );
  },
});

function rowOf(schedule: ScheduleView, context: CommandContext): string[] {
  const { id, volumeId, max, full, rules, nextRun } = schedule;
  const times = rules.map(({ kind, at }) =>
    kind === 'Periodic' ? `periodic ${at}m` : `${kind.toLowerCase()} ${at}`,
  );
  const cells = [id, volumeId, String(max), String(full), times.join(', ')];
  return [...cells, formatTime(nextRun, context), lastRunOf(schedule, context)];
}

function lastRunOf({ lastRun }: ScheduleView, context: CommandContext): string {
  if (!lastRun) return 'never';
  const time = formatTime(lastRun.started, context);
  return lastRun.failure === null ? time : `${time}: not started: ${lastRun.failure}`;
}
