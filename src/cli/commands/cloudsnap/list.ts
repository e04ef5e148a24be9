import { CloudvolError } from '../../../base/errors.ts';
import type { Api, CloudsnapView } from '../../../control/schemas.ts';
import { defineCommand, type CommandContext } from '../../command.ts';
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

/** Cloudsnaps of a page, unless told otherwise: a screen. */
const PAGE = 40;

export const command = defineCommand({
  examples: [
    'cloudvol cloudsnap list',
    'cloudvol cloudsnap list --src db --max 5 --json',
    'cloudvol cloudsnap list --status failed',
  ],
  arguments: [],
  options: {
    all: { kind: 'flag', alias: ['a'], about: 'of every cluster that the credential sees' },
    src: { kind: 'text', alias: ['s'], about: 'source volume, by name or id' },
    cluster: { kind: 'text', alias: ['c'], about: 'cluster id, or the bucket of several' },
    'cred-id': { kind: 'text', alias: ['cr'], about: 'Cloud credentials ID (or name)' },
    status: { kind: 'text', alias: ['t'], about: 'failed, aborted, stopped [done]' },
    label: { kind: 'list', about: 'labels that the volume had, name=value,…' },
    max: {
      kind: 'text',
      alias: ['x'],
      about: 'the newest so many; with --paginate: so many a page',
    },
    paginate: { kind: 'flag', alias: ['p'], about: 'all of them, page by page, oldest first' },
    'cloudsnap-id': { kind: 'text', alias: ['i'], about: 'this one' },
    'deleted-source-vol': { kind: 'flag', alias: ['d'], about: 'of volumes deleted since' },
  },
  async run(context, options) {
    const { client, signal } = context;
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
    if (options.paginate) return printPages(input, context);
    print(await client.call('listCloudsnaps', input, { signal }), context);
  },
});

type Filter = Api['listCloudsnaps']['input'];

/** A page is printed as it comes; with `--json` it is one line. */
async function printPages(filter: Filter, context: CommandContext): Promise<void> {
  const { client, signal, output, json } = context;
  const max = filter.max ?? PAGE;
  for (let after = ''; ;) {
    const page = await client.call('listCloudsnaps', { ...filter, max, after }, { signal });
    if (json) output.jsonLine(page.map(toJson));
    else if (page.length > 0 || after === '') print(page, context);
    const last = page.at(-1);
    if (!last || page.length < max) return;
    after = `${last.created ?? ''} ${last.id}`;
  }
}

function print(cloudsnaps: readonly CloudsnapView[], context: CommandContext): void {
  const { output, json } = context;
  if (json) return output.json(cloudsnaps.map(toJson));
  output.table(
    COLUMNS,
    cloudsnaps.map((view) => rowOf(view, context)),
  );
}

function parseStatus(text: string): 'done' | 'failed' | 'aborted' | 'stopped' {
  const known = ['done', 'failed', 'aborted', 'stopped'] as const;
  const found = known.find((word) => word === text.toLowerCase());
  if (found) return found;
  throw new CloudvolError('usage/bad-status', `--status ${text} is not known`, {
    hint: `use one of ${known.join(', ')}`,
  });
}

function rowOf(view: CloudsnapView, context: CommandContext): string[] {
  const { volumeName, volumeId, id, created, type, status } = view;
  return [volumeName, volumeId, id, formatTime(created, context), type, status];
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
