import { defineCommand } from '../../command.ts';
import { printTasks } from '../../task-table.ts';

export const command = defineCommand({
  examples: ['cloudvol cloudsnap status', 'cloudvol cloudsnap status --name TASK'],
  arguments: [],
  options: {
    name: { kind: 'text', alias: ['n'], about: 'one task, by its id' },
    src: { kind: 'text', alias: ['s'], about: 'tasks of this volume, by name or id' },
    local: {
      kind: 'flag',
      alias: ['l'],
      about: 'tasks of this node (there are no others), times in its zone',
    },
  },
  async run(context, { name, src }) {
    const { client, signal } = context;
    if (name !== undefined) {
      printTasks([await client.call('inspectTask', { task: name }, { signal })], context);
      return;
    }
    const filter = src === undefined ? {} : { volume: src };
    printTasks(await client.call('listTasks', filter, { signal }), context);
  },
});
