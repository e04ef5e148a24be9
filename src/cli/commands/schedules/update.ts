import { defineCommand } from '../../command.ts';
import { PLAN_OPTIONS, planOf } from './plan-options.ts';

export const command = defineCommand({
  examples: ['cloudvol cloudsnap schedules update --uuid UUID --periodic 60'],
  arguments: [],
  options: {
    uuid: { kind: 'text', alias: ['i'], about: 'schedule to change, by its UUID', required: true },
    ...PLAN_OPTIONS,
  },
  async run({ client, output, json, signal }, { uuid, ...options }) {
    const input = { schedule: uuid, ...planOf(options) };
    const schedule = await client.call('updateSchedule', input, { signal });
    if (json) output.json(schedule);
    else output.line('Cloudsnap schedule updated successfully');
  },
});
