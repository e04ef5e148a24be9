import { Output } from './output.ts';
import { runCli } from './run-cli.ts';

// `cloudvol volume list | head -1`: a reader that has seen enough is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await runCli(process.argv.slice(2), new Output(process.stdout, process.stderr));
