import type { CommandGroup } from './command-entry.ts';

export const VOLUME_GROUP: CommandGroup = {
  name: 'volume',
  alias: ['v'],
  summary: 'Manage volumes',
  verbs: [
    {
      name: 'create',
      alias: ['c'],
      summary: 'Create a volume',
      load: () => import('../commands/volume/create.ts'),
    },
    {
      name: 'list',
      alias: ['l'],
      summary: 'List volumes',
      load: () => import('../commands/volume/list.ts'),
    },
    {
      name: 'inspect',
      alias: ['i'],
      summary: 'Inspect a volume',
      load: () => import('../commands/volume/inspect.ts'),
    },
    {
      name: 'attach',
      alias: ['a'],
      summary: 'Make a volume reachable as a file or a loop device',
      load: () => import('../commands/volume/attach.ts'),
    },
    {
      name: 'detach',
      summary: 'Undo attach',
      load: () => import('../commands/volume/detach.ts'),
    },
    {
      name: 'mount',
      alias: ['m'],
      summary: 'Mount the file system of a volume',
      load: () => import('../commands/volume/mount.ts'),
    },
    {
      name: 'unmount',
      alias: ['u', 'umount'],
      summary: 'Undo mount',
      load: () => import('../commands/volume/unmount.ts'),
    },
    {
      name: 'hydrate',
      alias: ['h'],
      summary: 'See, pause, resume or limit how a lazy restore is filled',
      load: () => import('../commands/volume/hydrate.ts'),
    },
    {
      name: 'delete',
      alias: ['d'],
      summary: 'Delete a volume. This is not reversible.',
      load: () => import('../commands/volume/delete.ts'),
    },
  ],
};
