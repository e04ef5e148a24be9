import { closeSync, mkdtempSync, openSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { startAgentProcess, type AgentProcess } from '../src/demo/agent-process.ts';
import { openReaper, type Reaper } from '../src/demo/reaper/reaper.ts';

export interface BenchAgent {
  readonly directory: string;
  readonly reaper: Reaper;
  readonly agent: AgentProcess;
  close(): Promise<void>;
}

/**
 * An agent in a folder of its own below `parent`; nothing of it is left however the benchmark ends.
 */
export async function startBenchAgent(parent: string): Promise<BenchAgent> {
  const reaper = await openReaper();
  const directory = mkdtempSync(join(realpathSync(parent), 'cloudvol-bench-'));
  await reaper.directory(directory);
  const logFile = openSync(join(directory, 'agent.log'), 'a');
  const paths = { stateDir: join(directory, 'state'), runtimeDir: join(directory, 'run') };
  const agent = await startAgentProcess({ ...paths, logFile }, reaper).finally(() =>
    closeSync(logFile),
  );
  return {
    directory,
    reaper,
    agent,
    async close() {
      await agent.stop();
      await reaper.done();
    },
  };
}
