import { defineCommand } from '../command.ts';
import { formatTime } from '../format.ts';

export const command = defineCommand({
  examples: ['cloudvol status', 'cloudvol status --json'],
  arguments: [],
  options: {},
  async run(context) {
    const { client, output, json, signal } = context;
    const agent = await client.call('inspectAgent', {}, { signal });
    if (json) return output.json(agent);
    output.line(`Status: the agent is running (version ${agent.version}, pid ${agent.pid})`);
    output.line(`Node: ${agent.node}`);
    output.line(`Cluster ID: ${agent.clusterId}`);
    output.line(`State: ${agent.stateDir}`);
    output.line(`Volumes: ${agent.runtimeDir}/volumes`);
    output.line(`Since: ${formatTime(agent.started, context)}`);
  },
});
