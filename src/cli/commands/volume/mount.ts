import { resolve } from 'node:path';

import { defineCommand } from '../../command.ts';

export const command = defineCommand({
  examples: ['cloudvol volume mount db --path /mnt/db'],
  arguments: [{ name: 'volume', about: 'volume, by name or id', required: true }],
  options: {
    path: { kind: 'text', alias: ['p'], about: 'directory to mount on', required: true },
  },
  async run({ client, output, json, signal }, options, [name]) {
    const path = resolve(options.path);
    const volume = await client.call('mountVolume', { volume: name, path }, { signal });
    if (json) output.json(volume);
    else output.line(`Volume ${volume.name} successfully mounted at ${path}`);
  },
});
