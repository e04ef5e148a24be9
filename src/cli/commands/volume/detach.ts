import { defineCommand } from '../../command.ts';

export const command = defineCommand({
  examples: ['cloudvol volume detach db'],
  arguments: [{ name: 'volume', about: 'volume, by name or id', required: true }],
  options: {},
  async run({ client, output, json, signal }, _options, [name]) {
    const volume = await client.call('detachVolume', { volume: name }, { signal });
    if (json) output.json(volume);
    else output.line('Volume successfully detached');
  },
});
