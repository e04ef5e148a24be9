import { errnoOf } from '../../base/errors.ts';
import { systemClock } from '../../base/clock.ts';
import { processStart } from './process-start.ts';
import type { Registry } from './registry.ts';

type RegisteredProcess = Registry['processes'][number];

/** An agent that is asked to stop saves its bits and detaches its volumes: that takes a moment. */
const TERM_GRACE_MS = 5_000;
/** The kernel ends a killed process at once, unless a thread of it waits for I/O. */
const KILL_GRACE_MS = 5_000;
const POLL_MS = 20;

/** Whether this very process still runs: not another one that was given its pid. */
export function isAlive({ pid, start }: RegisteredProcess): boolean {
  return processStart(pid) === start;
}

/** Asks the processes to end, the newest first, then kills those that did not. */
export async function endProcesses(processes: readonly RegisteredProcess[]): Promise<void> {
  for (const [signal, graceMs] of [
    ['SIGTERM', TERM_GRACE_MS],
    ['SIGKILL', KILL_GRACE_MS],
  ] as const) {
    const alive = processes.filter(isAlive).toReversed();
    if (alive.length === 0) return;
    for (const { pid } of alive) send(pid, signal);
    const deadline = performance.now() + graceMs;
    while (alive.some(isAlive) && performance.now() < deadline) await systemClock.sleep(POLL_MS);
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended in the meantime.
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}
