import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { ControlClient } from '../control/client.ts';
import type { TaskView, VolumeView } from '../control/schemas.ts';
import { startAgentProcess, type AgentProcess } from './agent-process.ts';
import { followTask } from './follow-task.ts';
import type { Reaper } from './reaper/reaper.ts';

/** Where the demo happens: a folder with an agent of its own. */
export interface Stage {
  readonly directory: string;
  readonly agent: AgentProcess;
  readonly client: ControlClient;
  /** Where the file system of a volume is mounted. */
  mountPoint(volume: string): string;
  /** Mounts a volume. The agent attaches it, and makes the file system of a new one. */
  mount(volume: string): Promise<VolumeView>;
  inspect(volume: string): Promise<VolumeView>;
  follow(task: string): Promise<TaskView>;
  /** Requests to the object store so far. */
  countRequests(): Promise<number>;
  /** Unmounts and detaches what is mounted, and stops the agent. */
  close(): Promise<void>;
}

/** Lines of the agent's log that are shown when a step fails. */
const LOG_TAIL = 15;

/** Makes the folder below `parent` and starts the agent; the reaper undoes both. */
export async function openStage(
  parent: string,
  reaper: Reaper,
  signal: AbortSignal,
): Promise<Stage> {
  const directory = mkdtempSync(join(realpathSync(parent), 'cloudvol-demo-'));
  await reaper.directory(directory);
  const logFile = openSync(logPath(directory), 'a');
  const stateDir = join(directory, 'state');
  const runtimeDir = join(directory, 'run');
  const agent = await startAgentProcess({ stateDir, runtimeDir, logFile }, reaper, signal);
  closeSync(logFile);
  const { client } = agent;
  const mounted: string[] = [];
  const mountPoint = (volume: string) => join(directory, 'mnt', volume);
  return {
    directory,
    agent,
    client,
    mountPoint,
    async mount(volume) {
      const path = mountPoint(volume);
      mkdirSync(path, { recursive: true });
      await reaper.mount(path);
      const view = await client.call('mountVolume', { volume, path }, { signal });
      mounted.push(volume);
      return view;
    },
    inspect: (volume) => client.call('inspectVolume', { volume }, { signal }),
    follow: (task) => followTask(client, task, signal),
    async countRequests() {
      const credentials = await client.call('listCredentials', {}, { signal });
      return credentials
        .flatMap(({ requests }) => Object.values(requests))
        .reduce((sum, count) => sum + count, 0);
    },
    async close() {
      for (const volume of mounted.toReversed()) {
        const { path } = await client.call('unmountVolume', { volume }, { signal });
        // What was attached by the mount is detached by now.
        if (path !== null) await client.call('detachVolume', { volume }, { signal });
      }
      await agent.stop();
    },
  };
}

/** The end of the log of the agent below `directory`, for a reader who wants to know why. */
export function agentLogTail(directory: string): string[] {
  return readFileSync(logPath(directory), 'utf8').trimEnd().split('\n').slice(-LOG_TAIL);
}

function logPath(directory: string): string {
  return join(directory, 'agent.log');
}
