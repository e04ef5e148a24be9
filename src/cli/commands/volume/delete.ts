import { defineCommand } from '../../command.ts';

export const command = defineCommand({
  examples: ['cloudvol volume delete db'],
  arguments: [{ name: 'volume', about: 'volume, by name or id', required: true }],
  options: {},
  async run({ client, output, json, signal }, _options, [name]) {
    await client.call('deleteVolume', { volume: name }, { signal });
    if (json) output.json({});
    else output.line(`Volume ${name} successfully deleted`);
  },
});
