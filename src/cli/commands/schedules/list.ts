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
  'RETENTION',
  'NEXT-RUN',
  'LAST-RUN',
];

const PERIODS = ['daily', 'weekly', 'monthly', 'yearly'] as const;

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
  const cells = [id, volumeId, String(max), String(full), times.join(', '), retentionOf(schedule)];
  return [...cells, formatTime(nextRun, context), lastRunOf(schedule, context)];
}

function lastRunOf(schedule: ScheduleView, context: CommandContext): string {
  const { lastRun, lastRetention } = schedule;
  if (!lastRun) return 'never';
  const time = formatTime(lastRun.started, context);
  if (lastRun.failure !== null) return `${time}: not started: ${lastRun.failure}`;
  const failure = lastRetention?.failure ?? null;
  return failure === null ? time : `${time}: retention failed: ${failure}`;
}

/** What it keeps of what it made: `last 7, 30 days, daily 14`. */
function retentionOf({ retention, max }: ScheduleView): string {
  if (!retention) return 'all';
  const rules = [
    `last ${max}`,
    ...(retention.withinDays === undefined ? [] : [`${retention.withinDays} days`]),
    ...PERIODS.flatMap((period) => {
      const count = retention[period];
      return count === undefined ? [] : [`${period} ${count}`];
    }),
  ];
  return rules.join(', ');
}
