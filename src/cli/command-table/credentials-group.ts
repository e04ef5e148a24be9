import type { CommandGroup } from './command-entry.ts';

export const CREDENTIALS_GROUP: CommandGroup = {
  name: 'credentials',
  alias: ['cred'],
  summary: 'Manage credentials of object stores',
  verbs: [
    {
      name: 'create',
      alias: ['c'],
      summary: 'Create a credential for cloud-snap',
      load: () => import('../commands/credentials/create.ts'),
    },
    {
      name: 'list',
      alias: ['l'],
      summary: 'List all credentials for cloud-snap',
      load: () => import('../commands/credentials/list.ts'),
    },
    {
      name: 'delete',
      alias: ['d'],
      summary: 'Delete a credential for cloud-snap',
      load: () => import('../commands/credentials/delete.ts'),
    },
    {
      name: 'validate',
      alias: ['v'],
      summary: 'Write, read, list, delete and measure by a credential',
      load: () => import('../commands/credentials/validate.ts'),
    },
    {
      name: 'change-passphrase',
      alias: ['cp'],
      summary: 'Change what opens the cloudsnaps of an encrypted credential',
      load: () => import('../commands/credentials/change-passphrase.ts'),
    },
    {
      name: 'delete-refs',
      alias: ['dr'],
      summary: 'Drop the schedules and tasks of a credential, so that it can be deleted',
      load: () => import('../commands/credentials/delete-refs.ts'),
    },
  ],
};
