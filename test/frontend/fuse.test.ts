import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readMounts } from '../../src/volume/mount-table.ts';
import { eventually } from '../support/eventually.ts';
import { openReaper } from '../support/reaper.ts';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';
import { CatalogProcess } from '../volume/catalog-process.ts';
import { DiskLab } from '../volume/disk-lab.ts';

const needs = requires('root', 'fuse');

async function mountAt(path: string) {
  return (await readMounts()).find(({ mountPoint }) => mountPoint === path);
}

needs('a connection that the kernel cuts ends the attachment, not the agent', async (t) => {
  const lab = new DiskLab(t);
  const reaper = await openReaper();
  await reaper.directory(lab.stateDir);
  t.teardown(() => reaper.done());
  const runDir = join(lab.stateDir, 'run');
  mkdirSync(runDir);
  const { stateDir, liveDir } = lab;
  const agent = await CatalogProcess.start(reaper, { stateDir, liveDir, runDir });
  await agent.order('create none');
  const { path } = await agent.order('attach');
  const file = path ?? '';
  await runCommand(reaper, 'sh', ['-c', 'printf abc | dd conv=notrunc of="$1"', 'sh', file]);
  const minor = (await mountAt(file))?.device.split(':')[1];
  const control = join(stateDir, 'connections');
  mkdirSync(control);
  await runCommand(reaper, 'mount', ['-t', 'fusectl', 'fusectl', control]);
  writeFileSync(join(control, String(minor), 'abort'), '1');
  await eventually('the end is noticed', async () => {
    return (await agent.order('inspect')).status === 'detached';
  });
  t.regex(agent.log, /the kernel has cut the connection/);
  // Attaching again takes away what was left and serves what had been written.
  t.is((await agent.order('attach')).status, 'attached');
  const mounts = (await readMounts()).filter(({ mountPoint }) => mountPoint === file);
  t.is(mounts.length, 1);
  const bytes = await runCommand(reaper, 'head', ['-c', '3', file]);
  t.is(bytes, 'abc');
  t.is((await agent.order('detach')).error, undefined);
  t.is(await mountAt(file), undefined);
  await agent.end();
});

needs('a stale mount is found through a link to its directory', async (t) => {
  const lab = new DiskLab(t);
  const reaper = await openReaper();
  await reaper.directory(lab.stateDir);
  t.teardown(() => reaper.done());
  const real = join(lab.stateDir, 'real');
  const runDir = join(lab.stateDir, 'link');
  mkdirSync(real);
  symlinkSync(real, runDir);
  const { stateDir, liveDir } = lab;
  const killed = await CatalogProcess.start(reaper, { stateDir, liveDir, runDir });
  await killed.order('create none');
  t.is((await killed.order('attach')).path, join(real, 'v'));
  await killed.kill();
  const agent = await CatalogProcess.start(reaper, { stateDir, liveDir, runDir });
  t.is((await agent.order('inspect')).path, join(real, 'v'));
  const mounts = (await readMounts()).filter(({ mountPoint }) => mountPoint === join(real, 'v'));
  t.is(mounts.length, 1);
  t.is((await agent.order('close')).error, undefined);
  await agent.end();
});

needs('a file that has no place any more is in use until it is let go of', async (t) => {
  const lab = new DiskLab(t);
  const reaper = await openReaper();
  await reaper.directory(lab.stateDir);
  t.teardown(() => reaper.done());
  const runDir = join(lab.stateDir, 'run');
  mkdirSync(runDir);
  const { stateDir, liveDir } = lab;
  const agent = await CatalogProcess.start(reaper, { stateDir, liveDir, runDir });
  await agent.order('create none');
  const file = (await agent.order('attach')).path ?? '';
  const script = 'exec 3<>"$1"; umount -l "$1"; head -c 4096 /dev/zero >&3; echo $?';
  // Written through a descriptor alone: the connection lives as long as it does.
  t.is((await runCommand(reaper, 'sh', ['-c', script, 'sh', file])).trim(), '0');
  await eventually('the end is noticed', async () => {
    return (await agent.order('inspect')).status === 'detached';
  });
  t.is((await agent.order('inspect')).dirtyBlocks, 1);
  await agent.end();
});
