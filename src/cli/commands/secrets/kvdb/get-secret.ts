import { defineCommand } from '../../../command.ts';

export const command = defineCommand({
  examples: ['cloudvol secrets kvdb get-secret db-password'],
  arguments: [{ name: 'name', about: 'name of the secret', required: true }],
  options: {},
  async run({ client, output, json, signal }, _options, [name]) {
    const secret = await client.call('getSecret', { name }, { signal });
    if (json) output.json(secret);
    else output.line(secret.value);
  },
});
