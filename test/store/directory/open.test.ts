import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { CloudvolError } from '../../../src/base/errors.ts';
import { DirectoryStore } from '../../../src/store/directory.ts';
import { RootFolder } from '../../../src/store/directory/root-folder.ts';
import { TemporaryFolder } from '../../../src/store/directory/temporary-folder.ts';
import { bytesOf, keysOf, textOf } from '../../conformance/object-store/contract.ts';
import { openTemporaryStore, temporaryFolder } from './temporary-store.ts';

test('a folder that is missing is one clear sentence, and is not made', async (t) => {
  const path = join(await temporaryFolder(t), 'absent');
  const error = await t.throwsAsync(DirectoryStore.open({ path }), {
    instanceOf: CloudvolError,
    code: 'store/not-found',
    message: `there is no folder ${path} to keep objects in`,
  });
  t.truthy(error.hint);
  await t.throwsAsync(stat(path), { code: 'ENOENT' });
});

test('with create it is made, with its parents, for its owner only', async (t) => {
  const path = join(await temporaryFolder(t), 'new', 'store');
  for (let time = 0; time < 2; time++) {
    const store = await DirectoryStore.open({ path, create: true });
    await store.put(`a/${time}`, bytesOf('x'));
  }
  t.is((await stat(path)).mode & 0o777, 0o700);
  t.is((await stat(join(path, 'a'))).mode & 0o777, 0o700);
  t.is((await stat(join(path, 'a', '0'))).mode & 0o777, 0o600);
});

test('something else than a folder is refused', async (t) => {
  const path = join(await temporaryFolder(t), 'file');
  await writeFile(path, 'x');
  for (const create of [false, true]) {
    await t.throwsAsync(DirectoryStore.open({ path, create }), {
      code: 'store/failed',
      message: `${path} is not a folder, so it cannot keep objects`,
    });
  }
});

test('one folder is one location, however it was reached', async (t) => {
  const { path, store } = await openTemporaryStore(t);
  const alias = join(await temporaryFolder(t), 'alias');
  await symlink(path, alias);
  t.is((await DirectoryStore.open({ path: alias })).location, store.location);
  t.is(
    (await DirectoryStore.open({ path: `${path}/../${path.split('/').at(-1)}/` })).location,
    store.location,
  );
});

test('an object is a plain file that any tool can read', async (t) => {
  const { path, store } = await openTemporaryStore(t);
  await store.put('manifests/7/1', bytesOf('content'));
  await mkdir(join(path, 'by-hand'));
  await writeFile(join(path, 'by-hand', 'copied'), 'brought here by cp');
  t.is(textOf(await store.get('by-hand/copied')), 'brought here by cp');
  t.deepEqual(await keysOf(store), ['by-hand/copied', 'manifests/7/1']);
  t.is((await stat(join(path, 'manifests', '7', '1'))).size, 7);
});

test('names that no key can have are passed over', async (t) => {
  const { path, store } = await openTemporaryStore(t);
  for (const name of ['ends-in-dot.', 'new\nline', 'back\\slash'])
    await writeFile(join(path, name), 'x');
  await store.put('a', bytesOf('x'));
  t.deepEqual(await keysOf(store), ['a']);
});

test('folders go with their last object', async (t) => {
  const { path, store } = await openTemporaryStore(t);
  await store.put('a/b/c/1', bytesOf('x'));
  await store.put('a/2', bytesOf('x'));
  await store.delete(['a/b/c/1']);
  t.deepEqual(await readdir(join(path, 'a')), ['2']);
  await store.delete(['a/2']);
  t.deepEqual(await readdir(path), ['.tmp.']);
});

test('an empty folder that a cut-off put left behind is in nobody’s way', async (t) => {
  const { path, store } = await openTemporaryStore(t);
  await mkdir(join(path, 'a', 'b'), { recursive: true });
  t.deepEqual(await keysOf(store), []);
  await store.put('a/b', bytesOf('x'), { ifAbsent: true });
  await store.delete(['a/b']);
  await store.put('a', bytesOf('y'));
  t.deepEqual(await keysOf(store), ['a']);
});

test('open sweeps what dead processes left; what may be alive stays a day', async (t) => {
  const { path, store } = await openTemporaryStore(t);
  await store.put('a', bytesOf('x'));
  const folder = join(path, '.tmp.');
  const name = await ownerOfNewFile(path);
  const [bootId, namespace] = name.split('.');
  const child = spawn('sleep', ['60']);
  t.teardown(() => child.kill('SIGKILL'));
  const names = {
    ours: name,
    living: `${bootId}.${namespace}.${child.pid}.${await startTime(child.pid!)}.02`,
    recycledPid: `${bootId}.${namespace}.${child.pid}.1.03`,
    dead: `${bootId}.${namespace}.4194304.12345.04`,
    otherHost: `00000000-0000-0000-0000-000000000000.${namespace}.4194304.12345.05`,
    otherHostOld: `00000000-0000-0000-0000-000000000000.${namespace}.4194304.12345.06`,
    stranger: 'stranger',
  };
  for (const each of Object.values(names)) await writeFile(join(folder, each), 'half a body');
  const twoDaysAgo = new Date(Date.now() - 48 * 3600 * 1000);
  await utimes(join(folder, names.otherHostOld), twoDaysAgo, twoDaysAgo);
  await DirectoryStore.open({ path });
  const kept = [names.ours, names.living, names.otherHost, names.stranger];
  t.deepEqual((await readdir(folder)).sort(), kept.sort());
  const died = once(child, 'exit');
  child.kill('SIGKILL');
  await died;
  await DirectoryStore.open({ path });
  t.false((await readdir(folder)).includes(names.living));
  t.deepEqual(await keysOf(store), ['a']);
});

test('a store whose folder has gone is unavailable, not empty', async (t) => {
  const path = join(await temporaryFolder(t), 'store');
  const store = await DirectoryStore.open({ path, create: true });
  await store.put('a/b', bytesOf('x'));
  const unavailable = {
    code: 'store/unavailable',
    message: `${path} is not the folder that it was`,
  };
  const checkAll = async () => {
    await t.throwsAsync(store.get('a/b'), unavailable);
    await t.throwsAsync(store.head('a/b'), unavailable);
    await t.throwsAsync(keysOf(store), unavailable);
    await t.throwsAsync(store.delete(['a/b']), unavailable);
    await t.throwsAsync(store.put('a/c', bytesOf('y')), unavailable);
  };
  await rename(path, `${path}-elsewhere`);
  await checkAll();
  await mkdir(path);
  await checkAll();
  t.deepEqual(await readdir(path), [], 'nothing is written into what lies there now');
});

/** The name that this process gives a temporary file, for the file to be made up from. */
async function ownerOfNewFile(path: string): Promise<string> {
  const { dev, ino } = await stat(path);
  const folder = await TemporaryFolder.open(new RootFolder(path, { device: dev, inode: ino }));
  await using file = await folder.createFile();
  const real = await readlink(`/proc/self/fd/${file.handle.fd}`);
  return real.split('/').at(-1)!;
}

async function startTime(pid: number): Promise<string> {
  const line = await readFile(`/proc/${pid}/stat`, 'latin1');
  return line.slice(line.lastIndexOf(')') + 2).split(' ')[19]!;
}
