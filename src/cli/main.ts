import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// Code is cached in the user's own directory: in a shared one, others could put code there for root to run.
enableCompileCache(join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'cloudvol'));

// `cloudvol volume list | head -1`: a reader that has seen enough is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

const [{ runCli }, { Output }] = await Promise.all([import('./run-cli.ts'), import('./output.ts')]);
process.exitCode = await runCli(process.argv.slice(2), new Output(process.stdout, process.stderr));
