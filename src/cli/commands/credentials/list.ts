import { defineCommand } from '../../command.ts';

export const command = defineCommand({
  arguments: [],
  options: {},
  async run({ client, output, json, signal }) {
    const credentials = await client.call('listCredentials', {}, { signal });
    if (json) return output.json(credentials);
    if (credentials.length === 0) return output.line('No credentials configured');
    output.line('Directory Credentials');
    output.table(
      ['UUID', 'NAME', 'PATH', 'ENCRYPTION'],
      credentials.map(({ id, name, path, encrypted }) => [id, name, path, String(encrypted)]),
    );
  },
});
