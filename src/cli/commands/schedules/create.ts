import { CloudvolError } from '../../../base/errors.ts';
import { defineCommand } from '../../command.ts';
import { PLAN_OPTIONS, planOf } from './plan-options.ts';

export const command = defineCommand({
  examples: [
    'cloudvol cloudsnap schedules create db --daily 02:00',
    'cloudvol cloudsnap schedules create db --weekly sunday@03:30 --max 4 --cred-id my-s3',
  ],
  arguments: [{ name: 'volume', about: 'volume to back up, by name or id', required: true }],
  options: PLAN_OPTIONS,
  async run({ client, output, json, signal }, options, [volume]) {
    const plan = planOf(options);
    if (!plan.rules) {
      throw new CloudvolError('usage/missing-option', 'a schedule needs a time to run at', {
        hint: 'give --periodic 60, --daily 02:00, --weekly sunday@02:00 or --monthly 1@02:00',
      });
    }
    const schedule = await client.call('createSchedule', { volume, ...plan }, { signal });
    if (json) output.json(schedule);
    else output.line('Cloudsnap schedule created successfully');
  },
});
