import { resolve } from 'node:path';

import { formatByteSize } from '../../../base/byte-size.ts';
import { CloudvolError } from '../../../base/errors.ts';
import { defineCommand } from '../../command.ts';
import { escapeName } from '../../escape-name.ts';
import { extractFiles } from '../../extract/extract-files.ts';
import { targetsOf } from '../../extract/targets.ts';
import { WatchedStream } from '../../extract/watched-stream.ts';
import { given } from '../../given.ts';

export const command = defineCommand({
  examples: [
    'cloudvol cloudsnap extract --snap ID --path /etc/hosts',
    'cloudvol cloudsnap extract --snap ID --path /srv/www --path /var/mail --to found',
  ],
  arguments: [],
  options: {
    snap: { kind: 'text', alias: ['s'], about: 'Cloud-snap id to fetch from', required: true },
    path: { kind: 'list', about: 'file or folder in the backup; any number of times' },
    to: { kind: 'text', about: 'directory to put them in; made if it is not there [.]' },
    'cred-id': { kind: 'text', alias: ['cr'], about: 'Cloud credentials ID (or name)' },
  },
  async run(context, options) {
    const { client, output, json, signal } = context;
    if (options.path.length === 0) {
      throw new CloudvolError('usage/missing-argument', 'a file or folder has to be named', {
        hint: 'cloudvol cloudsnap extract --snap ID --path FILE',
      });
    }
    const directory = resolve(options.to ?? '.');
    const targets = targetsOf(options.path, directory);
    const input = {
      cloudsnap: options.snap,
      paths: targets.map(({ source }) => `/${source}`),
      ...given({ credential: options['cred-id'] }),
    };
    const archive = new WatchedStream(
      client.stream('extractCloudsnap', input, { signal }),
      json ? undefined : output,
    );
    await extractFiles(archive, targets, directory);
    const { receivedBytes } = archive;
    const paths = targets.map(({ path }) => path);
    if (json) return output.json({ cloudsnapId: options.snap, paths, receivedBytes });
    for (const path of paths) output.line(`Extracted ${escapeName(path)}`);
    output.line(`${formatByteSize(receivedBytes)} fetched from ${options.snap}`);
  },
});
