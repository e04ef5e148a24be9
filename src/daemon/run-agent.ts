import { CloudvolError } from '../base/errors.ts';
import { systemClock } from '../base/clock.ts';
import { translateHostError } from '../base/host-error.ts';
import { createLog, type Log } from '../base/log.ts';
import { packageVersion } from '../base/version.ts';
import { agentUsage, parseAgentConfig } from '../config/agent-config.ts';
import type { Domain } from './domain.ts';
import { notifySystemdReady } from './notify-systemd.ts';
import { startAgent } from './start-agent.ts';

/** Exit codes, as sysexits.h has them where it has a word. */
const FAILED = 1;
const BAD_OPTIONS = 2;
const INTERNAL = 70;
const NO_PERMISSION = 77;

/** SIGHUP is what a closed terminal sends: as good a reason as Ctrl-C to save everything first. */
const END_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** The whole life of an agent process, from its options to its exit code. */
export async function runAgent(
  args: readonly string[],
  openDomain: (log: Log) => Promise<Domain>,
): Promise<number> {
  if (args.includes('--help')) return print(agentUsage());
  if (args.includes('--version')) return print(packageVersion());
  // A log whose reader has gone must not end an agent that serves volumes.
  process.stderr.on('error', () => {});
  const ending = listenForEnd();
  try {
    const config = parseAgentConfig(args, process.env);
    const log = createLog((line) => process.stderr.write(`${line}\n`), config.logLevel);
    crashLoudly(log);
    const domain = await openDomain(log);
    const agent = await startAgent({ config, domain, clock: systemClock, log });
    notifySystemdReady(process.env, log);
    const signal = await ending;
    log.info('agent.stopping', { signal });
    await agent.close();
    log.info('agent.stopped');
    return 0;
  } catch (error) {
    return reportFailure(error);
  }
}

/**
 * Listens from the start, so that a signal during the start ends an agent that is complete; later
 * ones are ignored.
 */
function listenForEnd(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of END_SIGNALS) process.on(name, () => resolve(name));
  });
}

function crashLoudly(log: Log): void {
  process.on('uncaughtException', (error: unknown) => {
    log.error('agent.crashed', { error, stack: error instanceof Error ? error.stack : undefined });
    process.exit(INTERNAL);
  });
}

function reportFailure(thrown: unknown): number {
  const error = translateHostError(thrown);
  if (!(error instanceof CloudvolError)) throw error;
  process.stderr.write(`cloudvol-agent: ${error.message}\n`);
  if (error.hint) process.stderr.write(`hint: ${error.hint}\n`);
  if (error.code === 'config/invalid') return BAD_OPTIONS;
  return error.code === 'agent/denied' ? NO_PERMISSION : FAILED;
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}
