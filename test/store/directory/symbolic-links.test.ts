import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { bytesOf, keysOf } from '../../conformance/object-store/contract.ts';
import { openTemporaryStore, temporaryFolder } from './temporary-store.ts';

const refused = { code: 'store/failed', message: /is reached through a symbolic link$/ };

test('a link to a file outside gives nothing away, and is not written through', async (t) => {
  const outside = join(await temporaryFolder(t), 'secret');
  await writeFile(outside, 'secret');
  const { path, store } = await openTemporaryStore(t);
  await symlink(outside, join(path, 'link'));
  await t.throwsAsync(store.get('link'), refused);
  await t.throwsAsync(store.head('link'), refused);
  t.deepEqual(await keysOf(store), []);
  await store.put('link', bytesOf('object'));
  t.is(await readFile(outside, 'utf8'), 'secret');
  t.deepEqual(await keysOf(store), ['link']);
});

test('a link to a folder outside lets nothing in or out', async (t) => {
  const outside = await temporaryFolder(t);
  await mkdir(join(outside, 'deep'));
  await writeFile(join(outside, 'deep', 'secret'), 'secret');
  const { path, store } = await openTemporaryStore(t);
  await store.put('a/b', bytesOf('x'));
  await symlink(outside, join(path, 'a', 'link'));
  for (const key of ['a/link/deep/secret', 'a/link/new', 'a/link/new/folder/object']) {
    await t.throwsAsync(store.put(key, bytesOf('overwritten')), refused, key);
    await t.throwsAsync(store.put(key, bytesOf('overwritten'), { ifAbsent: true }), refused, key);
  }
  await t.throwsAsync(store.get('a/link/deep/secret'), refused);
  await t.throwsAsync(store.head('a/link/deep/secret'), refused);
  await t.throwsAsync(store.delete(['a/link/deep/secret']), refused);
  await t.throwsAsync(keysOf(store, 'a/link/'), refused);
  t.deepEqual(await keysOf(store), ['a/b']);
  t.deepEqual(await readdir(outside, { recursive: true }), ['deep', 'deep/secret']);
  t.is(await readFile(join(outside, 'deep', 'secret'), 'utf8'), 'secret');
});

test('the folder for temporary files may not be a link either', async (t) => {
  const outside = await temporaryFolder(t);
  const { path, store } = await openTemporaryStore(t);
  await symlink(outside, join(path, '.tmp.'));
  await t.throwsAsync(store.put('a', bytesOf('x')), refused);
  t.deepEqual(await readdir(outside), []);
});

test('a deleted link goes, what it pointed to stays', async (t) => {
  const outside = join(await temporaryFolder(t), 'file');
  await writeFile(outside, 'kept');
  const { path, store } = await openTemporaryStore(t);
  await symlink(outside, join(path, 'link'));
  await store.delete(['link']);
  t.is(await readFile(outside, 'utf8'), 'kept');
  t.deepEqual(await readdir(path), []);
});

test('a FIFO is no object, and nobody waits for its other end', async (t) => {
  const { path, store } = await openTemporaryStore(t);
  execFileSync('mkfifo', [join(path, 'fifo')]);
  t.is(await store.head('fifo'), undefined);
  await t.throwsAsync(store.get('fifo'), { code: 'store/not-found' });
  t.deepEqual(await keysOf(store), []);
});
