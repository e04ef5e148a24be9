import { defineCommand } from '../../../command.ts';

export const command = defineCommand({
  examples: ['cloudvol secrets kvdb logout'],
  arguments: [],
  options: {},
  async run({ client, output, json, signal }) {
    await client.call('logoutSecrets', {}, { signal });
    if (json) output.json({});
    else output.line('Successful Logout from Secrets Endpoint!');
  },
});
