import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { CloudvolError, hasCode } from '../base/errors.ts';
import { chooseLiveDirectory } from '../config/live-directory.ts';
import { agentSocketPath } from '../config/socket-path.ts';
import { ControlClient } from '../control/client.ts';
import type { Reaper } from './reaper/reaper.ts';

/** An agent that runs as a child of this process, on directories of its own. */
export interface AgentProcess {
  readonly child: ChildProcess;
  readonly client: ControlClient;
  readonly socketPath: string;
  /** Asks it to stop, waits for the end. */
  stop(): Promise<void>;
  /** Lets this process end before the agent does. */
  leave(): void;
}

export interface AgentDirectories {
  readonly stateDir: string;
  readonly runtimeDir: string;
  /** Open file that takes what the agent logs. */
  readonly logFile: number;
}

const PACKAGE_ROOT = join(import.meta.dirname, '../..');
/** It opens its database and its volumes, and reads their bits: seconds on a slow disk. */
const START_LIMIT_MS = 30_000;
const POLL_MS = 25;

/**
 * Starts `bin/cloudvol-agent` under a reaper and waits until its socket answers.
 * @throws `agent/not-started` when it ends or does not answer in time; its log says why.
 */
export async function startAgentProcess(
  { stateDir, runtimeDir, logFile }: AgentDirectories,
  reaper: Reaper,
  signal?: AbortSignal,
): Promise<AgentProcess> {
  // An agent that is killed leaves its live bits there: they are to outlive it, not its folders.
  const ownLiveDir = join(runtimeDir, 'live');
  const liveDir = await chooseLiveDirectory(ownLiveDir, stateDir);
  if (liveDir !== ownLiveDir) await reaper.directory(liveDir);
  const child = spawn(
    join(PACKAGE_ROOT, 'bin/cloudvol-agent'),
    ['--state-dir', stateDir, '--runtime-dir', runtimeDir],
    // Out of the way of Ctrl-C: who started it decides when it stops.
    { detached: true, stdio: ['ignore', logFile, logFile] },
  );
  await once(child, 'spawn');
  await reaper.pid(child);
  const socketPath = agentSocketPath(runtimeDir);
  const client = new ControlClient(socketPath);
  await waitUntilItAnswers(child, client, signal);
  return {
    child,
    client,
    socketPath,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
    leave: () => child.unref(),
  };
}

async function waitUntilItAnswers(
  child: ChildProcess,
  client: ControlClient,
  signal?: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + START_LIMIT_MS;
  for (;;) {
    try {
      await client.call('inspectAgent', {}, signal ? { signal } : {});
      return;
    } catch (error) {
      if (!hasCode(error, 'agent/not-running')) throw error;
    }
    if (child.exitCode !== null || child.signalCode !== null) {
      throw notStarted(`it ended with ${child.exitCode ?? child.signalCode}`);
    }
    if (performance.now() > deadline) throw notStarted(`no answer in ${START_LIMIT_MS / 1000} s`);
    await systemClock.sleep(POLL_MS, signal);
  }
}

function notStarted(reason: string): CloudvolError {
  return new CloudvolError('agent/not-started', `the agent did not start: ${reason}`, {
    hint: 'its log says why',
  });
}
