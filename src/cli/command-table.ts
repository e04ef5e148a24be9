/** Every command by name. Static, so that a run imports the one module that it needs. */
import { CLOUDSNAP_GROUP } from './command-table/cloudsnap-group.ts';
import type { CommandEntry, CommandGroup } from './command-table/command-entry.ts';
import { CREDENTIALS_GROUP } from './command-table/credentials-group.ts';
import { SECRETS_GROUP } from './command-table/secrets-group.ts';
import { VOLUME_GROUP } from './command-table/volume-group.ts';

export const GROUPS: readonly CommandGroup[] = [
  VOLUME_GROUP,
  CREDENTIALS_GROUP,
  SECRETS_GROUP,
  CLOUDSNAP_GROUP,
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
