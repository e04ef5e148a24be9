import type { CommandGroup } from './command-entry.ts';

export const SCHEDULES_GROUP: CommandGroup = {
  name: 'schedules',
  alias: ['sched'],
  summary: 'Manage schedules for cloud-snaps',
  verbs: [
    {
      name: 'create',
      alias: ['c'],
      summary: 'Create a schedule: cloudsnaps of a volume without being told to',
      load: () => import('../commands/schedules/create.ts'),
    },
    {
      name: 'update',
      alias: ['u'],
      summary: 'Change a schedule; what is not given stays as it is',
      load: () => import('../commands/schedules/update.ts'),
    },
    {
      name: 'list',
      alias: ['l'],
      summary: 'List schedules, when each runs next and when it ran last',
      load: () => import('../commands/schedules/list.ts'),
    },
    {
      name: 'delete',
      alias: ['d'],
      summary: 'Delete a schedule; its cloudsnaps stay',
      load: () => import('../commands/schedules/delete.ts'),
    },
  ],
};
