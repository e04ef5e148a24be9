import { defineCommand } from '../../command.ts';

export const command = defineCommand({
  examples: ['cloudvol volume attach db', 'cloudvol volume attach db --loop'],
  arguments: [{ name: 'volume', about: 'volume, by name or id', required: true }],
  options: { loop: { kind: 'flag', about: 'also as a loop device, for tools that want one' } },
  async run({ client, output, json, signal }, { loop }, [name]) {
    const volume = await client.call('attachVolume', { volume: name, loop }, { signal });
    if (json) output.json(volume);
    else output.line(`Volume successfully attached at: ${volume.loopDevice ?? volume.path}`);
  },
});
