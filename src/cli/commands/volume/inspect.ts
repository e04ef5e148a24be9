import { formatByteSize } from '../../../base/byte-size.ts';
import type { VolumeView } from '../../../control/schemas.ts';
import { defineCommand } from '../../command.ts';
import { formatLabels } from '../../format.ts';
import { hydrationLines } from '../../hydration-lines.ts';
import { printable } from '../../output.ts';

export const command = defineCommand({
  examples: ['cloudvol volume inspect db'],
  arguments: [{ name: 'volume', about: 'volume, by name or id', required: true }],
  options: {},
  async run({ client, output, json, signal }, _options, [name]) {
    const volume = await client.call('inspectVolume', { volume: name }, { signal });
    if (json) return output.json(volume);
    for (const [label, value] of linesOf(volume)) {
      output.line(`${label.padEnd(18)} :  ${printable(value)}`);
    }
  },
});

function linesOf(volume: VolumeView): [string, string][] {
  const blocks = (count: number) =>
    `${count} blocks (${formatByteSize(count * volume.blockBytes)})`;
  const optional = (label: string, value: string | null): [string, string][] =>
    value === null ? [] : [[label, value]];
  return [
    ['Volume', volume.id],
    ['Name', volume.name],
    ['Size', formatByteSize(volume.sizeBytes)],
    ['Block size', formatByteSize(volume.blockBytes)],
    ['Format', volume.fileSystem],
    ['Labels', formatLabels(volume.labels)],
    ['Status', volume.status],
    ['Node', volume.node],
    ...optional('File', volume.path),
    ...optional('Loop device', volume.loopDevice),
    ...optional('Mounted at', volume.mountPath),
    ['Present', blocks(volume.presentBlocks)],
    ['Dirty', blocks(volume.dirtyBlocks)],
    ['Absent', blocks(volume.absentBlocks)],
    ['Disk space', formatByteSize(volume.localBytes)],
    ...optional('Restored from', volume.backing?.cloudsnapId ?? null),
    ...(volume.backing ? hydrationLines(volume) : []),
    ...volume.chains.map((chain): [string, string] => ['Last cloudsnap', chain.cloudsnapId]),
  ];
}
