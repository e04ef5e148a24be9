import { defineCommand } from '../../command.ts';

export const command = defineCommand({
  examples: ['cloudvol credentials delete-refs my-s3'],
  arguments: [
    {
      name: 'credential',
      about:
        'credential, by name or UUID; its schedules are deleted, its queued and running tasks ' +
        'stopped; refused while volumes still fetch blocks through it',
      required: true,
    },
  ],
  options: {},
  async run({ client, output, json, signal }, _options, [credential]) {
    const answer = await client.call('deleteCredentialReferences', { credential }, { signal });
    if (json) return output.json(answer);
    for (const schedule of answer.deletedSchedules) output.line(`Schedule ${schedule} deleted`);
    for (const task of answer.stoppedTasks) output.line(`Task ${task} stopped`);
    output.line('References to the credential deleted successfully');
  },
});
