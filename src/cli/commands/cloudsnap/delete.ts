import { defineCommand } from '../../command.ts';
import { EXIT } from '../../exit-codes.ts';
import { followTask, reportEnd } from '../../follow-task.ts';
import { given } from '../../given.ts';

export const command = defineCommand({
  examples: ['cloudvol cloudsnap delete --snap ID'],
  arguments: [],
  options: {
    snap: { kind: 'text', alias: ['s'], about: 'Cloud-snap id to delete', required: true },
    takeover: {
      kind: 'flag',
      about: 'although another host wrote the volume: only when that host is gone',
    },
    'cred-id': { kind: 'text', alias: ['cr'], about: 'Cloud credentials ID (or name)' },
  },
  async run(context, options) {
    const { client, output, json, signal } = context;
    const credential = given({ credential: options['cred-id'] });
    const takeover = options.takeover ? { takeover: true } : {};
    const input = { cloudsnap: options.snap, ...takeover, ...credential };
    const task = await client.call('deleteCloudsnap', input, { signal });
    // "Deleted" is said when it is: a list right after this must not show the cloudsnap.
    const ended = await followTask(task.id, context);
    if (ended.state !== 'Done') return reportEnd(ended, context);
    if (!json) output.line('Cloudsnap deleted successfully');
    return EXIT.ok;
  },
});
