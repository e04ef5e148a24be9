import { CloudvolError } from '../base/errors.ts';
import { Input } from './input.ts';
import { Output } from './output.ts';
import { runCli } from './run-cli.ts';

// `cloudvol volume list | head -1`: a reader that has seen enough is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

// The first one ends the command in order; a second one, as always, at once.
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => interrupt.abort(new CloudvolError('cli/interrupted', 'interrupted')));
}

const output = new Output(process.stdout, process.stderr);
const input = new Input(() => process.stdin, process.stderr);
const program = process.env['CLOUDVOL_PROGRAM'];
process.exitCode = await runCli(
  process.argv.slice(2),
  output,
  interrupt.signal,
  input,
  program || undefined,
);
