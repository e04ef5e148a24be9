import { parseByteSize } from '../../../base/byte-size.ts';
import { defineCommand } from '../../command.ts';
import { given } from '../../given.ts';
import { parseFileSystem } from '../../parse-file-system.ts';
import { parseLabels } from '../../parse-labels.ts';

export const command = defineCommand({
  examples: [
    'cloudvol volume create db --size 4G',
    'cloudvol volume create db --size 100G --fs xfs --label team=shop,stage=live',
  ],
  arguments: [{ name: 'name', about: 'name of the new volume', required: true }],
  options: {
    size: { kind: 'text', alias: ['s'], about: 'size, such as 4G', required: true },
    'block-size': { kind: 'text', alias: ['b'], about: 'unit of tracking, 4KiB to 1MiB [64KiB]' },
    fs: { kind: 'text', about: 'file system it is meant for: ext4, xfs, none [ext4]' },
    label: { kind: 'list', alias: ['l'], about: 'labels, name=value,…' },
  },
  async run({ client, output, json, signal }, options, [name]) {
    const blockSize = options['block-size'];
    const input = {
      name,
      sizeBytes: parseByteSize(options.size),
      labels: parseLabels(options.label),
      ...given({
        blockBytes: blockSize === undefined ? undefined : parseByteSize(blockSize),
        fileSystem: options.fs === undefined ? undefined : parseFileSystem(options.fs),
      }),
    };
    const volume = await client.call('createVolume', input, { signal });
    if (json) output.json(volume);
    else output.line(`Volume successfully created: ${volume.id}`);
  },
});
