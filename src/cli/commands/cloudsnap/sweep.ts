import { formatByteSize } from '../../../base/byte-size.ts';
import type { Api } from '../../../control/schemas.ts';
import { defineCommand } from '../../command.ts';
import { EXIT } from '../../exit-codes.ts';
import { given } from '../../given.ts';

const COLUMNS = ['CLOUD-SNAP-ID', 'KIND', 'OBJECTS', 'SIZE', 'OUTCOME', 'REASON'];

type Leftover = Api['sweepCloudsnaps']['output']['leftovers'][number];

export const command = defineCommand({
  examples: [
    'cloudvol cloudsnap sweep --dry-run',
    'cloudvol cloudsnap sweep --cred-id my-s3 --takeover',
  ],
  arguments: [],
  options: {
    'dry-run': { kind: 'flag', alias: ['n'], about: 'only say what would be removed' },
    takeover: {
      kind: 'flag',
      about: 'also of volumes that another host wrote: only when that host is gone',
    },
    'cred-id': { kind: 'text', alias: ['cr'], about: 'Cloud credentials ID (or name)' },
  },
  async run({ client, output, json, signal }, options) {
    const dryRun = options['dry-run'];
    const input = { dryRun, takeover: options.takeover };
    const credential = given({ credential: options['cred-id'] });
    const report = await client.call('sweepCloudsnaps', { ...input, ...credential }, { signal });
    const { leftovers, listedObjects, trialObjects } = report;
    if (json) {
      output.json(report);
      return EXIT.ok;
    }
    if (leftovers.length > 0) output.table(COLUMNS, leftovers.map(rowOf));
    const counted = leftovers.filter(({ outcome }) => outcome !== 'kept');
    const objects = trialObjects + counted.reduce((sum, each) => sum + each.objects, 0);
    const size = formatByteSize(counted.reduce((sum, { bytes }) => sum + bytes, 0));
    const done = dryRun ? 'would be removed; nothing was changed' : 'removed';
    output.line(`${objects} of ${listedObjects} objects (${size}) ${done}`);
    return EXIT.ok;
  },
});

function rowOf({ cloudsnapId, kind, objects, bytes, outcome, note }: Leftover): string[] {
  return [cloudsnapId, kind, String(objects), formatByteSize(bytes), outcome, note ?? ''];
}
