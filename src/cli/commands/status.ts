import { defineCommand } from '../command.ts';
import { formatTime } from '../format.ts';
import { waitingLine } from '../hydration-lines.ts';
import { printable } from '../output.ts';

export const command = defineCommand({
  examples: ['cloudvol status', 'cloudvol status --json'],
  arguments: [],
  options: {},
  async run(context) {
    const { client, output, json, signal } = context;
    const agent = await client.call('inspectAgent', {}, { signal });
    const volumes = await client.call('listVolumes', {}, { signal });
    const waiting = volumes.filter(({ hydration }) => hydration?.waitingReaders);
    if (json) {
      const waits = waiting.map(({ name, hydration }) => ({ volume: name, ...hydration }));
      return output.json({ ...agent, waiting: waits });
    }
    output.line(`Status: the agent is running (version ${agent.version}, pid ${agent.pid})`);
    output.line(`Node: ${agent.node}`);
    output.line(`Cluster ID: ${agent.clusterId}`);
    output.line(`State: ${agent.stateDir}`);
    output.line(`Volumes: ${agent.runtimeDir}/volumes`);
    output.line(`Since: ${formatTime(agent.started, context)}`);
    for (const volume of waiting) {
      for (const [label, value] of waitingLine(volume)) {
        output.line(`${label}: volume ${printable(volume.name)}: ${printable(value)}`);
      }
    }
  },
});
