import type { CommandGroup } from './command-entry.ts';
import { CREDENTIALS_GROUP } from './credentials-group.ts';
import { SCHEDULES_GROUP } from './schedules-group.ts';

export const CLOUDSNAP_GROUP: CommandGroup = {
  name: 'cloudsnap',
  alias: ['cs'],
  summary: 'Backup and restore snapshots to/from cloud',
  groups: [SCHEDULES_GROUP, CREDENTIALS_GROUP],
  verbs: [
    {
      name: 'backup',
      alias: ['b'],
      summary: 'Backup a snapshot to cloud',
      load: () => import('../commands/cloudsnap/backup.ts'),
    },
    {
      name: 'restore',
      alias: ['r'],
      summary: 'Restore volume to a cloud snapshot',
      load: () => import('../commands/cloudsnap/restore.ts'),
    },
    {
      name: 'list',
      alias: ['l'],
      summary: 'List snapshot in cloud',
      load: () => import('../commands/cloudsnap/list.ts'),
    },
    {
      name: 'status',
      alias: ['s'],
      summary: 'Report status of active backups/restores',
      load: () => import('../commands/cloudsnap/status.ts'),
    },
    {
      name: 'history',
      alias: ['h'],
      summary: 'Show history of cloudsnap operations',
      load: () => import('../commands/cloudsnap/history.ts'),
    },
    {
      name: 'stop',
      alias: ['st'],
      summary: 'stop an active backup/restore',
      load: () => import('../commands/cloudsnap/stop.ts'),
    },
    {
      name: 'catalog',
      alias: ['t'],
      summary: 'Display catalog for the backup in cloud',
      load: () => import('../commands/cloudsnap/catalog.ts'),
    },
    {
      name: 'extract',
      alias: ['x'],
      summary: 'Fetch files and folders out of a cloudsnap, without restoring it',
      load: () => import('../commands/cloudsnap/extract.ts'),
    },
    {
      name: 'delete',
      alias: ['d'],
      summary: 'Delete a cloudsnap from the objectstore. This is not reversible.',
      load: () => import('../commands/cloudsnap/delete.ts'),
    },
    {
      name: 'prune',
      summary: 'Remove the cloudsnaps that no rule keeps. This is not reversible.',
      load: () => import('../commands/cloudsnap/prune.ts'),
    },
    {
      name: 'verify',
      summary: 'Check that cloudsnaps can be restored, without restoring them',
      load: () => import('../commands/cloudsnap/verify.ts'),
    },
    {
      name: 'sweep',
      summary: 'Remove what uploads and deletions that were cut off left in the bucket',
      load: () => import('../commands/cloudsnap/sweep.ts'),
    },
  ],
};
