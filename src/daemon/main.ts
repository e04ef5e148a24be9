import { systemClock } from '../base/clock.ts';
import { runAgent } from './run-agent.ts';

// The domain is loaded when the options are known to be good: `--help` needs no addon.
process.exitCode = await runAgent(process.argv.slice(2), async (log) => {
  const { openDomain } = await import('./open-domain.ts');
  return openDomain(systemClock, log);
});
