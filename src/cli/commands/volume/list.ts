import { formatByteSize } from '../../../base/byte-size.ts';
import type { VolumeView } from '../../../control/schemas.ts';
import { defineCommand } from '../../command.ts';

/** As the original has them; what a single host does not have is constant. */
const COLUMNS = [
  'ID',
  'NAME',
  'SIZE',
  'HA',
  'SHARED',
  'ENCRYPTED',
  'IO_PRIORITY',
  'SCALE',
  'STATUS',
];

export const command = defineCommand({
  examples: ['cloudvol volume list', 'cloudvol volume list --json'],
  arguments: [],
  options: {},
  async run({ client, output, json, signal }) {
    const volumes = await client.call('listVolumes', {}, { signal });
    if (json) return output.json(volumes);
    output.table(COLUMNS, volumes.map(rowOf));
  },
});

function rowOf(volume: VolumeView): string[] {
  const { id, name, sizeBytes } = volume;
  return [id, name, formatByteSize(sizeBytes), '1', 'no', 'no', 'LOW', '1', statusOf(volume)];
}

function statusOf({ status, node }: VolumeView): string {
  if (status === 'attached' || status === 'mounted') return `up - attached on ${node}`;
  return status === 'failed' ? 'down - failed' : `up - ${status}`;
}
