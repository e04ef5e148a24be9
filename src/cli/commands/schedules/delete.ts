import { defineCommand } from '../../command.ts';

export const command = defineCommand({
  examples: ['cloudvol cloudsnap schedules delete --uuid UUID'],
  arguments: [],
  options: {
    uuid: { kind: 'text', alias: ['i'], about: 'schedule to delete, by its UUID', required: true },
  },
  async run({ client, output, json, signal }, { uuid }) {
    await client.call('deleteSchedule', { schedule: uuid }, { signal });
    if (json) output.json({});
    else output.line('Cloudsnap schedule deleted successfully');
  },
});
