import { formatByteSize } from '../../../base/byte-size.ts';
import { CloudvolError } from '../../../base/errors.ts';
import type { Api, TaskView } from '../../../control/schemas.ts';
import { defineCommand, type CommandContext } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { followTask, reportEnd } from '../../follow-task.ts';
import { formatTime } from '../../format.ts';
import { given } from '../../given.ts';
import { parseCount } from '../../parse-count.ts';
import { parseLabels } from '../../parse-labels.ts';

const COLUMNS = ['SOURCEVOLUME', 'CLOUD-SNAP-ID', 'CREATED-TIME', 'TYPE', 'ACTION', 'REASON'];

type Answer = Api['pruneCloudsnaps']['output'];

export const command = defineCommand({
  examples: [
    'cloudvol cloudsnap prune db --keep-last 7 --dry-run',
    'cloudvol cloudsnap prune db --keep-daily 7 --keep-weekly 4 --keep-monthly 12',
    'cloudvol cloudsnap prune --all --keep-within 30 --keep-label keep=yes',
  ],
  arguments: [{ name: 'volume', about: 'volume whose cloudsnaps are looked at, by name or id' }],
  options: {
    all: {
      kind: 'flag',
      alias: ['a'],
      about: 'those of every volume, also of volumes deleted since',
    },
    'keep-last': { kind: 'text', about: 'keep so many of the newest' },
    'keep-within': { kind: 'text', about: 'keep those made within so many days before the newest' },
    'keep-daily': { kind: 'text', about: 'keep the newest of each of so many days, in UTC' },
    'keep-weekly': { kind: 'text', about: 'keep the newest of each of so many weeks' },
    'keep-monthly': { kind: 'text', about: 'keep the newest of each of so many months' },
    'keep-yearly': { kind: 'text', about: 'keep the newest of each of so many years' },
    'keep-label': { kind: 'list', about: 'keep those with one of these labels, name=value,…' },
    cluster: { kind: 'text', alias: ['c'], about: 'of this cluster instead of the own one' },
    'cred-id': { kind: 'text', alias: ['cr'], about: 'Cloud credentials ID (or name)' },
    'dry-run': { kind: 'flag', alias: ['n'], about: 'only say what would be removed' },
    takeover: {
      kind: 'flag',
      about: 'at once, although another host writes for the volumes: it is gone for good',
    },
  },
  async run(context, options, [volume]) {
    const { client, output, json, signal } = context;
    if ((volume === undefined) !== options.all) {
      throw new CloudvolError(
        'usage/missing-argument',
        'either a volume or --all has to be given',
        {
          hint: 'cloudvol cloudsnap prune VOLUME --keep-last 7 --dry-run',
        },
      );
    }
    const count = (name: KeepOption) => {
      const text = options[name];
      return text === undefined ? undefined : parseCount(name, text);
    };
    const input = {
      rules: given({
        last: count('keep-last'),
        withinDays: count('keep-within'),
        daily: count('keep-daily'),
        weekly: count('keep-weekly'),
        monthly: count('keep-monthly'),
        yearly: count('keep-yearly'),
      }),
      keepLabels: parseLabels(options['keep-label']),
      dryRun: options['dry-run'],
      ...given({ source: volume, cluster: options.cluster, credential: options['cred-id'] }),
      ...(options.all && { allVolumes: true }),
      ...(options.takeover && { takeover: true }),
    };
    const answer = await client.call('pruneCloudsnaps', input, { signal });
    if (json && !answer.task) output.json(answer);
    else if (json) output.jsonLine(answer);
    else printPlan(answer, context);
    if (answer.task) return finish(await followTask(answer.task.id, context), context);
    if (!json) output.line(summary(answer));
    return EXIT.ok;
  },
});

type KeepOption = `keep-${'last' | 'within' | 'daily' | 'weekly' | 'monthly' | 'yearly'}`;

function printPlan({ cloudsnaps }: Answer, context: CommandContext): void {
  context.output.table(
    COLUMNS,
    cloudsnaps.map(({ volumeName, id, created, type, action, reasons }) => [
      volumeName,
      id,
      formatTime(created, context),
      type,
      action,
      reasons.join('; '),
    ]),
  );
}

/** Of a plan that nobody carries out. */
function summary({ cloudsnaps }: Answer): string {
  const removed = cloudsnaps.filter(({ action }) => action === 'remove');
  if (removed.length === 0) return 'Nothing is to be removed';
  const bytes = removed.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
  const size = formatByteSize(bytes);
  return `${countText(removed.length)} would be removed (${size}); nothing was changed`;
}

function finish(task: TaskView, context: CommandContext): ExitCode {
  const { output, json } = context;
  const { removed = 0, removedBytes = 0 } = task.result;
  if (!json) {
    const size = formatByteSize(Number(removedBytes));
    output.line(`${countText(Number(removed))} removed (${size})`);
  }
  return task.state === 'Done' ? EXIT.ok : reportEnd(task, context);
}

function countText(count: number): string {
  return count === 1 ? '1 cloudsnap' : `${count} cloudsnaps`;
}
