/**
 * The reaper: a process of its own, in a session of its own, that reads what to guard from a pipe
 * and cleans it up when the pipe closes. The other end is held by one process only, so it closes
 * when that process ends in any way: normally, by a signal, by SIGKILL.
 *
 *   `ready` on stdout → registrations, one JSON array a line, on stdin → end of stdin →
 *   clean-up → exit 0, or 1 and what is left on stderr
 */
import { createInterface } from 'node:readline';
import { messageOf } from '../../base/errors.ts';
import { cleanUp } from './clean-up.ts';
import { emptyRegistry, register } from './registry.ts';

// Only the end of the pipe ends the guard: not Ctrl-C, not a closing terminal.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
// Nobody may be left to read the report; the clean-up goes on.
process.stderr.on('error', () => {});
process.stdout.on('error', () => {});

const registry = emptyRegistry();
const problems: string[] = [];

process.stdout.write('ready\n');
const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
lines.on('line', (line) => {
  try {
    register(registry, line);
  } catch (error) {
    // The rest still has to be cleaned up; the report names what was refused.
    problems.push(messageOf(error));
  }
});
lines.once('close', () => {
  void cleanUp(registry).then((left) => {
    problems.push(...left);
    for (const problem of problems) process.stderr.write(`reaper: ${problem}\n`);
    process.exitCode = problems.length > 0 ? 1 : 0;
  });
});
