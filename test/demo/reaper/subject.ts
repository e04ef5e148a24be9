/**
 * A process that makes one of each thing that a reaper guards, says what it made, and ends as its
 * first argument tells it: `done` cleans up itself, `hang` waits to be ended.
 */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openReaper } from '../../../src/demo/reaper/reaper.ts';

/** What the subject made. */
export interface Made {
  readonly sleeper: number;
  readonly loop: string;
}

const IMAGE_BYTES = 1 << 20;

/** Below `base` (which stays): `guarded/` is registered as a directory, the rest by name. */
export async function makeThings(base: string): Promise<{ made: Made; done: () => Promise<void> }> {
  const reaper = await openReaper();
  const directory = join(base, 'guarded');
  await reaper.directory(directory);
  for (const path of ['guarded/inner', 'mounted']) {
    mkdirSync(join(base, path), { recursive: true });
  }
  await reaper.mount(join(base, 'mounted'));
  for (const path of ['guarded/inner', 'mounted']) {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', join(base, path)]);
    writeFileSync(join(base, path, 'file'), 'x');
  }
  const image = join(base, 'image');
  const file = openSync(image, 'w');
  ftruncateSync(file, IMAGE_BYTES);
  closeSync(file);
  const loop = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
  await reaper.loop(loop, image);
  // Holds a file in a mount open, so that the mount cannot go before the process.
  const sleeper = spawn('sh', ['-c', 'exec sleep 600 3<"$0"', join(base, 'mounted', 'file')], {
    stdio: 'ignore',
    detached: true,
  });
  await reaper.pid(sleeper);
  sleeper.unref();
  return { made: { sleeper: sleeper.pid ?? 0, loop }, done: () => reaper.done() };
}

if (import.meta.main) {
  const [way, base = ''] = process.argv.slice(2);
  const { made, done } = await makeThings(base);
  process.stdout.write(`${JSON.stringify(made)}\n`);
  if (way === 'done') await done();
  else setInterval(() => {}, 60_000);
}
