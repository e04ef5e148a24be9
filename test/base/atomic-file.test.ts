import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { readFileIfPresent, writeFileAtomically } from '../../src/base/atomic-file.ts';

test('what was written is read back whole, with nothing left beside it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'cloudvol-atomic-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, 'state.json');
  t.is(await readFileIfPresent(path), undefined);
  await writeFileAtomically(path, 'old and long');
  await writeFileAtomically(path, new Uint8Array([1, 2, 3]));
  t.deepEqual([...((await readFileIfPresent(path)) ?? [])], [1, 2, 3]);
  t.is((await stat(path)).mode & 0o777, 0o600);
  t.deepEqual(await readdir(folder), ['state.json']);
});

test('of writers at once one wins whole', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'cloudvol-atomic-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, 'state');
  const contents = Array.from({ length: 8 }, (_, index) => String(index).repeat(100_000));
  await Promise.all(contents.map((content) => writeFileAtomically(path, content)));
  t.true(contents.includes(String(await readFileIfPresent(path))));
  t.deepEqual(await readdir(folder), ['state']);
});

test('a replacement that fails leaves the old content and no temporary file', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'cloudvol-atomic-'));
  t.teardown(() => rm(folder, { recursive: true }));
  // A directory in the place of the file: the rename is what fails.
  await writeFileAtomically(join(folder, 'kept'), 'old');
  await t.throwsAsync(writeFileAtomically(folder, 'new'));
  t.deepEqual(await readdir(folder), ['kept']);
});
