import { defineCommand } from '../../command.ts';
import { taskJson } from '../../task-table.ts';

export const command = defineCommand({
  examples: ['cloudvol cloudsnap stop --name TASK'],
  arguments: [],
  options: { name: { kind: 'text', alias: ['n'], about: 'task, by its id', required: true } },
  async run({ client, output, json, signal }, { name }) {
    const task = await client.call('stopTask', { task: name }, { signal });
    if (json) output.json(taskJson(task));
    else if (task.ended === null) output.line(`${task.kind} ${task.id} is being stopped`);
    else output.line(`${task.kind} ${task.id} ended as ${task.state}`);
  },
});
