import { defineCommand } from '../../../command.ts';

export const command = defineCommand({
  examples: ['cloudvol secrets kvdb list-secrets'],
  arguments: [],
  options: {},
  async run({ client, output, json, signal }) {
    const secrets = await client.call('listSecrets', {}, { signal });
    if (json) return output.json(secrets);
    output.table(
      ['NAME'],
      secrets.map(({ name }) => [name]),
    );
  },
});
