import { defineCommand } from '../../command.ts';

export const command = defineCommand({
  examples: ['cloudvol credentials delete my-s3'],
  arguments: [{ name: 'credential', about: 'credential, by name or UUID', required: true }],
  options: {},
  async run({ client, output, json, signal }, _options, [credential]) {
    await client.call('deleteCredential', { credential }, { signal });
    if (json) output.json({});
    else output.line('Credential deleted successfully');
  },
});
