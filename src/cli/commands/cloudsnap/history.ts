import { defineCommand } from '../../command.ts';
import { printTasks } from '../../task-table.ts';

export const command = defineCommand({
  examples: ['cloudvol cloudsnap history --src db'],
  arguments: [],
  options: { src: { kind: 'text', alias: ['s'], about: 'tasks of this volume, by name or id' } },
  async run(context, { src }) {
    const { client, signal } = context;
    const filter = { history: true, ...(src !== undefined && { volume: src }) };
    printTasks(await client.call('listTasks', filter, { signal }), context);
  },
});
