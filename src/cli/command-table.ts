/** Every command by name. Static, so that a run imports the one module that it needs. */
import type { Command } from './command.ts';

export interface CommandEntry {
  readonly name: string;
  readonly alias?: readonly string[];
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

export interface CommandGroup {
  readonly name: string;
  readonly alias?: readonly string[];
  readonly summary: string;
  readonly verbs: readonly CommandEntry[];
  /** Groups within this one: `cloudsnap credentials …`, `secrets kvdb …`. */
  readonly groups?: readonly CommandGroup[];
}

const CREDENTIAL_VERBS: readonly CommandEntry[] = [
  {
    name: 'create',
    alias: ['c'],
    summary: 'Create a credential for cloud-snap',
    load: () => import('./commands/credentials/create.ts'),
  },
  {
    name: 'list',
    alias: ['l'],
    summary: 'List all credentials for cloud-snap',
    load: () => import('./commands/credentials/list.ts'),
  },
  {
    name: 'delete',
    alias: ['d'],
    summary: 'Delete a credential for cloud-snap',
    load: () => import('./commands/credentials/delete.ts'),
  },
  {
    name: 'validate',
    alias: ['v'],
    summary: 'Write, read, list, delete and measure by a credential',
    load: () => import('./commands/credentials/validate.ts'),
  },
  {
    name: 'delete-refs',
    alias: ['dr'],
    summary: 'Drop the schedules and tasks of a credential, so that it can be deleted',
    load: () => import('./commands/credentials/delete-refs.ts'),
  },
];

const CREDENTIALS: CommandGroup = {
  name: 'credentials',
  alias: ['cred'],
  summary: 'Manage credentials of object stores',
  verbs: CREDENTIAL_VERBS,
};

const KVDB: CommandGroup = {
  name: 'kvdb',
  summary: 'The secret store that comes with the agent',
  verbs: [
    {
      name: 'login',
      summary: 'Unlock the secret store; the first login sets its passphrase',
      load: () => import('./commands/secrets/kvdb/login.ts'),
    },
    {
      name: 'logout',
      summary: 'Lock the secret store',
      load: () => import('./commands/secrets/kvdb/logout.ts'),
    },
    {
      name: 'status',
      summary: 'Say whether the secret store is locked',
      load: () => import('./commands/secrets/kvdb/status.ts'),
    },
  ],
};

const SCHEDULES: CommandGroup = {
  name: 'schedules',
  alias: ['sched'],
  summary: 'Manage schedules for cloud-snaps',
  verbs: [
    {
      name: 'create',
      alias: ['c'],
      summary: 'Create a schedule: cloudsnaps of a volume without being told to',
      load: () => import('./commands/schedules/create.ts'),
    },
    {
      name: 'update',
      alias: ['u'],
      summary: 'Change a schedule; what is not given stays as it is',
      load: () => import('./commands/schedules/update.ts'),
    },
    {
      name: 'list',
      alias: ['l'],
      summary: 'List schedules, when each runs next and when it ran last',
      load: () => import('./commands/schedules/list.ts'),
    },
    {
      name: 'delete',
      alias: ['d'],
      summary: 'Delete a schedule; its cloudsnaps stay',
      load: () => import('./commands/schedules/delete.ts'),
    },
  ],
};

export const GROUPS: readonly CommandGroup[] = [
  {
    name: 'volume',
    alias: ['v'],
    summary: 'Manage volumes',
    verbs: [
      {
        name: 'create',
        alias: ['c'],
        summary: 'Create a volume',
        load: () => import('./commands/volume/create.ts'),
      },
      {
        name: 'list',
        alias: ['l'],
        summary: 'List volumes',
        load: () => import('./commands/volume/list.ts'),
      },
      {
        name: 'inspect',
        alias: ['i'],
        summary: 'Inspect a volume',
        load: () => import('./commands/volume/inspect.ts'),
      },
      {
        name: 'attach',
        alias: ['a'],
        summary: 'Make a volume reachable as a file or a loop device',
        load: () => import('./commands/volume/attach.ts'),
      },
      {
        name: 'detach',
        summary: 'Undo attach',
        load: () => import('./commands/volume/detach.ts'),
      },
      {
        name: 'mount',
        alias: ['m'],
        summary: 'Mount the file system of a volume',
        load: () => import('./commands/volume/mount.ts'),
      },
      {
        name: 'unmount',
        alias: ['u', 'umount'],
        summary: 'Undo mount',
        load: () => import('./commands/volume/unmount.ts'),
      },
      {
        name: 'delete',
        alias: ['d'],
        summary: 'Delete a volume. This is not reversible.',
        load: () => import('./commands/volume/delete.ts'),
      },
    ],
  },
  CREDENTIALS,
  {
    name: 'secrets',
    summary: 'Manage the secrets that credentials need',
    verbs: [],
    groups: [KVDB],
  },
  {
    name: 'cloudsnap',
    alias: ['cs'],
    summary: 'Backup and restore snapshots to/from cloud',
    groups: [SCHEDULES, CREDENTIALS],
    verbs: [
      {
        name: 'backup',
        alias: ['b'],
        summary: 'Backup a snapshot to cloud',
        load: () => import('./commands/cloudsnap/backup.ts'),
      },
      {
        name: 'restore',
        alias: ['r'],
        summary: 'Restore volume to a cloud snapshot',
        load: () => import('./commands/cloudsnap/restore.ts'),
      },
      {
        name: 'list',
        alias: ['l'],
        summary: 'List snapshot in cloud',
        load: () => import('./commands/cloudsnap/list.ts'),
      },
      {
        name: 'status',
        alias: ['s'],
        summary: 'Report status of active backups/restores',
        load: () => import('./commands/cloudsnap/status.ts'),
      },
      {
        name: 'history',
        alias: ['h'],
        summary: 'Show history of cloudsnap operations',
        load: () => import('./commands/cloudsnap/history.ts'),
      },
      {
        name: 'stop',
        alias: ['st'],
        summary: 'stop an active backup/restore',
        load: () => import('./commands/cloudsnap/stop.ts'),
      },
      {
        name: 'delete',
        alias: ['d'],
        summary: 'Delete a cloudsnap from the objectstore. This is not reversible.',
        load: () => import('./commands/cloudsnap/delete.ts'),
      },
      {
        name: 'verify',
        summary: 'Check that cloudsnaps can be restored, without restoring them',
        load: () => import('./commands/cloudsnap/verify.ts'),
      },
    ],
  },
];

/** Commands without a group. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'status',
    summary: 'Show the agent that commands talk to',
    load: () => import('./commands/status.ts'),
  },
  {
    name: 'demo',
    summary: 'Show volumes, cloudsnaps and restores on files of this machine',
    load: () => import('./commands/demo.ts'),
  },
];
