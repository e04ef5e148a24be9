import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, realpath, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { cleanUp } from '../../../src/demo/reaper/clean-up.ts';
import { readLoopDevices } from '../../../src/demo/reaper/loop-devices.ts';
import { parseMounts } from '../../../src/demo/reaper/mount-table.ts';
import { processStart } from '../../../src/demo/reaper/process-start.ts';
import { openReaper } from '../../../src/demo/reaper/reaper.ts';
import { emptyRegistry, register } from '../../../src/demo/reaper/registry.ts';
import { requires } from '../../support/requires.ts';

test('a process that was given a registered pid later is not touched', async (t) => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  const registry = emptyRegistry();
  const start = Number(processStart(child.pid ?? 0));
  register(registry, JSON.stringify(['pid', child.pid, String(start - 1)]));
  t.deepEqual(await cleanUp(registry), []);
  t.is(processStart(child.pid ?? 0), String(start));
});

test('a process that ignores SIGTERM is killed', async (t) => {
  const child = spawn('sh', ['-c', 'trap "" TERM; echo; while :; do sleep 1; done']);
  await once(child.stdout, 'data');
  const registry = emptyRegistry();
  register(registry, JSON.stringify(['pid', child.pid, processStart(child.pid ?? 0)]));
  t.deepEqual(await cleanUp(registry), []);
  t.is(child.signalCode ?? (await once(child, 'exit'))[1], 'SIGKILL');
});

test('paths that no test could own are refused', (t) => {
  for (const path of ['/', '/usr', '/usr/', '/usr/../', 'relative/path', '']) {
    for (const word of ['dir', 'mount']) {
      t.throws(() => register(emptyRegistry(), JSON.stringify([word, path])), {
        message: /does not touch/,
      });
    }
  }
});

test('a mount table with spaces in its paths is read', (t) => {
  const line = '36 35 0:45 / /tmp/a\\040b rw,noatime shared:1 - fuse.cloudvol my\\040source rw';
  t.deepEqual(parseMounts(`${line}\n`), [
    { path: '/tmp/a b', minor: '45', type: 'fuse.cloudvol', source: 'my source' },
  ]);
});

test('done() fails when something was refused or is left', async (t) => {
  const reaper = await openReaper();
  await reaper.directory('/usr');
  await t.throwsAsync(reaper.done(), { code: 'demo/left-behind' });
});

requires(
  'root',
  'loop',
  'losetup',
)('a loop device that holds another file by now stays attached', async (t) => {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'cloudvol-loop-')));
  t.teardown(() => rm(base, { recursive: true }));
  const image = join(base, 'image');
  await writeFile(image, '');
  await truncate(image, 1 << 20);
  const loop = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
  const registry = emptyRegistry();
  register(registry, JSON.stringify(['loop', loop, join(base, 'another')]));
  t.deepEqual(await cleanUp(registry), []);
  t.true(readLoopDevices().some(({ path, backing }) => path === loop && backing === image));
  register(registry, JSON.stringify(['loop', loop, image]));
  t.deepEqual(await cleanUp(registry), []);
  t.false(readLoopDevices().some(({ path }) => path === loop));
});
