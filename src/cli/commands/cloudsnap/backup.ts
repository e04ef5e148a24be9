import { CloudvolError } from '../../../base/errors.ts';
import { defineCommand } from '../../command.ts';
import { EXIT } from '../../exit-codes.ts';
import { followTask, reportEnd } from '../../follow-task.ts';
import { given } from '../../given.ts';
import { parseCount } from '../../parse-count.ts';
import { parseLabels } from '../../parse-labels.ts';
import { taskJson } from '../../task-table.ts';

export const command = defineCommand({
  examples: [
    'cloudvol cloudsnap backup db',
    'cloudvol cloudsnap backup db --full --cred-id my-s3 --label ticket=4711 --wait',
  ],
  needsOne: true,
  arguments: [{ name: 'volume', about: 'source volume, by name or id' }],
  options: {
    volume: { kind: 'text', alias: ['v'], about: 'source volume' },
    full: { kind: 'flag', alias: ['f'], about: 'force a full backup' },
    'cred-id': {
      kind: 'text',
      alias: ['cr'],
      about: 'Cloud credentials ID to be used for the backup, or its name',
    },
    frequency: {
      kind: 'text',
      alias: ['i'],
      about: 'backups from one full to the next [7: a full and six incrementals]',
    },
    label: {
      kind: 'list',
      alias: ['l'],
      about: "labels of the cloudsnap besides the volume's, name=value,…",
    },
    takeover: {
      kind: 'flag',
      about: 'although another host wrote the volume: only when that host is gone',
    },
    wait: { kind: 'flag', about: 'follow the backup until it ends' },
  },
  async run(context, options, [positional]) {
    const { client, output, json, signal } = context;
    const volume = options.volume ?? positional;
    if (volume === undefined || (positional !== undefined && positional !== volume)) {
      throw new CloudvolError('usage/missing-argument', 'one volume has to be named', {
        hint: 'cloudvol cloudsnap backup VOLUME',
      });
    }
    const { frequency } = options;
    const input = given({
      credential: options['cred-id'],
      labels: options.label.length === 0 ? undefined : parseLabels(options.label),
      frequency: frequency === undefined ? undefined : parseCount('frequency', frequency),
    });
    const flags = { full: options.full, ...(options.takeover && { takeover: true }) };
    const task = await client.call('backup', { volume, ...flags, ...input }, { signal });
    if (!json) output.line(`Cloudsnap backup started successfully with id: ${task.id}`);
    if (options.wait) return reportEnd(await followTask(task.id, context), context);
    if (json) output.json(taskJson(task));
    return EXIT.ok;
  },
});
