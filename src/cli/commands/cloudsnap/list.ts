import { CloudvolError } from '../../../base/errors.ts';
import type { CloudsnapView } from '../../../control/schemas.ts';
import { defineCommand } from '../../command.ts';
import { formatTime } from '../../format.ts';
import { given } from '../../given.ts';
import { parseCount } from '../../parse-count.ts';
import { parseLabels } from '../../parse-labels.ts';

const COLUMNS = [
  'SOURCEVOLUME',
  'SOURCEVOLUMEID',
  'CLOUD-SNAP-ID',
  'CREATED-TIME',
  'TYPE',
  'STATUS',
];

export const command = defineCommand({
  arguments: [],
  options: {
    all: { kind: 'flag', alias: ['a'], about: 'of every cluster that the credential sees' },
    src: { kind: 'text', alias: ['s'], about: 'source volume, by name or id' },
    cluster: { kind: 'text', alias: ['c'], about: 'cluster id' },
    'cred-id': { kind: 'text', alias: ['cr'], about: 'Cloud credentials ID (or name)' },
    status: { kind: 'text', alias: ['t'], about: 'failed, aborted, stopped [done]' },
    label: { kind: 'list', about: 'labels that the volume had, name=value,…' },
    max: { kind: 'text', alias: ['x'], about: 'the newest so many' },
    'cloudsnap-id': { kind: 'text', alias: ['i'], about: 'this one' },
    'deleted-source-vol': { kind: 'flag', alias: ['d'], about: 'of volumes deleted since' },
  },
  async run({ client, output, json, signal }, options) {
    const input = {
      allClusters: options.all,
      deletedSource: options['deleted-source-vol'],
      labels: parseLabels(options.label),
      ...given({
        source: options.src,
        cluster: options.cluster,
        credential: options['cred-id'],
        cloudsnap: options['cloudsnap-id'],
        status: options.status === undefined ? undefined : parseStatus(options.status),
        max: options.max === undefined ? undefined : parseCount('max', options.max),
      }),
    };
    const cloudsnaps = await client.call('listCloudsnaps', input, { signal });
    if (json) return output.json(cloudsnaps.map(toJson));
    output.table(COLUMNS, cloudsnaps.map(rowOf));
  },
});

function parseStatus(text: string): 'done' | 'failed' | 'aborted' | 'stopped' {
  const known = ['done', 'failed', 'aborted', 'stopped'] as const;
  const found = known.find((word) => word === text.toLowerCase());
  if (found) return found;
  throw new CloudvolError('usage/bad-status', `--status ${text} is not known`, {
    hint: `use one of ${known.join(', ')}`,
  });
}

function rowOf(view: CloudsnapView): string[] {
  const { volumeName, volumeId, id, created, type, status } = view;
  return [volumeName, volumeId, id, formatTime(created), type, status];
}

/** The names of the original's JSON. */
function toJson(view: CloudsnapView): Record<string, unknown> {
  const { id, volumeId, volumeName, created, status, ...metadata } = view;
  return {
    ID: id,
    SrcVolumeID: volumeId,
    SrcVolumeName: volumeName,
    Timestamp: created,
    Metadata: metadata,
    Status: status,
  };
}
