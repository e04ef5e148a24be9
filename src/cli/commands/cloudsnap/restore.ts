import { resolve } from 'node:path';

import { parseByteSize } from '../../../base/byte-size.ts';
import { CloudvolError } from '../../../base/errors.ts';
import { defineCommand } from '../../command.ts';
import { EXIT } from '../../exit-codes.ts';
import { followTask, reportEnd } from '../../follow-task.ts';
import { given } from '../../given.ts';
import { parseSeconds } from '../../parse-seconds.ts';
import { taskJson } from '../../task-table.ts';

export const command = defineCommand({
  examples: [
    'cloudvol cloudsnap restore --snap ID',
    'cloudvol cloudsnap restore --snap ID --volume before --lazy --mount /mnt/before',
  ],
  arguments: [],
  options: {
    snap: { kind: 'text', alias: ['s'], about: 'Cloud-snap id to restore', required: true },
    volume: {
      kind: 'text',
      alias: ['v'],
      about: 'name of the new volume [Restore-<source volume id>-<n>]',
    },
    node: {
      kind: 'text',
      alias: ['n'],
      about: 'Optional node ID for provisioning restore volume storage',
    },
    'cred-id': {
      kind: 'text',
      alias: ['cr'],
      about: 'Cloud credentials ID to be used for the restore, or its name',
    },
    lazy: { kind: 'flag', about: 'usable at once; fetches blocks when they are read' },
    hydrate: { kind: 'switch', about: 'with --lazy: do not fetch the rest in the background' },
    rate: { kind: 'text', about: 'with --lazy: bytes per second in the background' },
    'absent-timeout': {
      kind: 'text',
      about: 'with --lazy: seconds that a reader waits for the store [for ever]',
    },
    mount: { kind: 'text', about: 'directory to mount the restored volume on' },
    wait: { kind: 'flag', about: 'follow until the volume holds all of its blocks' },
  },
  async run(context, options) {
    const { client, output, json, signal } = context;
    if (!options.hydrate && !options.lazy) {
      throw new CloudvolError('usage/bad-option', '--no-hydrate goes with --lazy only');
    }
    if (options.mount !== undefined && !options.lazy && !options.wait) {
      throw new CloudvolError('usage/bad-option', '--mount needs --lazy or --wait', {
        hint: 'an eager restore can be mounted when it is done',
      });
    }
    const timeout = options['absent-timeout'];
    const started = await client.call(
      'restore',
      {
        cloudsnap: options.snap,
        lazy: options.lazy,
        ...(!options.hydrate && { hydrate: false }),
        ...(options.rate !== undefined && { rateBytesPerSecond: parseByteSize(options.rate) }),
        ...(timeout !== undefined && {
          absentTimeoutSeconds: parseSeconds('absent-timeout', timeout),
        }),
        ...given({ name: options.volume, node: options.node, credential: options['cred-id'] }),
      },
      { signal },
    );
    const { volume, task, hydrateTask } = started;
    if (!json) {
      const names = `volume: ${volume.id} with task name:${task.id}`;
      output.line(`Cloudsnap restore started successfully on ${names}`);
    }
    const mount = async () => {
      if (options.mount === undefined) return;
      const path = resolve(options.mount);
      await client.call('mountVolume', { volume: volume.id, path }, { signal });
      if (!json) output.line(`Volume ${volume.name} successfully mounted at ${path}`);
    };
    if (options.lazy) await mount();
    if (options.wait) {
      const code = reportEnd(await followTask((hydrateTask ?? task).id, context), context);
      if (code !== EXIT.ok) return code;
      if (!options.lazy) await mount();
      return EXIT.ok;
    }
    if (json) {
      output.json({
        VolumeID: volume.id,
        VolumeName: volume.name,
        Task: taskJson(task),
        HydrateTask: hydrateTask && taskJson(hydrateTask),
      });
    }
    return EXIT.ok;
  },
});
