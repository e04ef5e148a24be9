import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { chooseLiveDirectory } from '../../src/config/live-directory.ts';

test('live bits lie in memory, and where they were asked to lie if that is', async (t) => {
  const inMemory = mkdtempSync('/dev/shm/cloudvol-choice-');
  t.teardown(() => rmSync(inMemory, { recursive: true }));
  const wanted = join(inMemory, 'not', 'yet', 'made');
  t.is(await chooseLiveDirectory(wanted, '/state'), wanted);
  // procfs is no place for files, and no memory file system either.
  const chosen = await chooseLiveDirectory('/proc/self/live', '/state');
  t.regex(chosen, /^\/dev\/shm\/cloudvol-[0-9a-f]{16}$/);
  t.is(await chooseLiveDirectory('/proc/self/live', '/state'), chosen);
  t.not(await chooseLiveDirectory('/proc/self/live', '/other'), chosen);
});
