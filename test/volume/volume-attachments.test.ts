import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { loopDevicesOf, readMounts } from '../../src/volume/mount-table.ts';
import { eventually } from '../support/eventually.ts';
import { openReaper, type Reaper } from '../support/reaper.ts';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';
import { CatalogProcess, type CatalogDirectories } from './catalog-process.ts';
import { DiskLab } from './disk-lab.ts';

interface Host {
  readonly reaper: Reaper;
  readonly directories: CatalogDirectories;
  readonly file: string;
  /** An empty directory to mount on. */
  readonly directory: string;
  agent: CatalogProcess;
}

async function hostWith(t: ExecutionContext, fileSystem: string): Promise<Host> {
  const lab = new DiskLab(t);
  const reaper = await openReaper();
  await reaper.directory(lab.stateDir);
  const runDir = join(lab.stateDir, 'run');
  const directory = join(lab.stateDir, 'mount point');
  for (const path of [runDir, directory]) mkdirSync(path);
  const directories = { stateDir: lab.stateDir, liveDir: lab.liveDir, runDir };
  const agent = await CatalogProcess.start(reaper, directories);
  const host = { reaper, directories, file: join(runDir, 'v'), directory, agent };
  t.teardown(async () => {
    if (!t.passed) t.log(host.agent.log);
    await reaper.done();
  });
  t.is((await agent.order(`create ${fileSystem}`)).error, undefined);
  return host;
}

const isMounted = async (path: string) =>
  (await readMounts()).some(({ mountPoint }) => mountPoint === path);

/** A process that has a file open until it is told to let go. */
async function hold(reaper: Reaper, path: string): Promise<() => Promise<void>> {
  const child = spawn('sh', ['-c', 'exec 3<"$1"; echo; read line', 'sh', path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await reaper.pid(child);
  await once(child.stdout, 'data');
  return async () => {
    const exited = once(child, 'exit');
    child.stdin.end();
    await exited;
  };
}

const needs = requires('root', 'fuse', 'loop', 'losetup', 'mkfs.ext4');

needs('a volume on which no file system fits leaves nothing behind', async (t) => {
  const { agent, file, directories } = await hostWith(t, 'none');
  await agent.order('delete');
  const { error = '', status } = await agent.order('create ext4:65536');
  t.regex(error, /^host\/command-failed: mkfs\.ext4 failed: /);
  t.is(status, 'none');
  t.false(await isMounted(file));
  t.deepEqual(await loopDevicesOf(file), []);
  t.deepEqual(readdirSync(join(directories.stateDir, 'volumes')), []);
  t.is((await agent.order('create ext4')).status, 'detached');
  await agent.order('close');
  await agent.end();
});

needs('a volume is attached once, with a loop device when asked, and detached whole', async (t) => {
  const { agent, file } = await hostWith(t, 'none');
  t.is((await agent.order('inspect')).status, 'detached');
  const attached = await agent.order('attach');
  t.like(attached, { status: 'attached', path: file, loopDevice: null });
  t.true(await isMounted(file));
  t.like(await agent.order('attach'), { path: file, loopDevice: null });
  const { loopDevice } = await agent.order('attach loop');
  t.deepEqual(await loopDevicesOf(file), [loopDevice ?? 'none']);
  t.is((await agent.order('attach')).loopDevice, loopDevice);
  t.like(await agent.order('detach'), { status: 'detached', path: null, loopDevice: null });
  t.false(await isMounted(file));
  t.deepEqual(await loopDevicesOf(file), []);
  t.regex((await agent.order('detach')).error ?? '', /^volume\/not-attached: volume v is not att/);
  t.is((await agent.order('close')).error, undefined);
  await agent.end();
});

needs('a volume in use is not detached, and goes on working', async (t) => {
  const { agent, file, reaper } = await hostWith(t, 'none');
  await agent.order('attach loop');
  const letGo = await hold(reaper, file);
  const refused = await agent.order('detach');
  t.regex(refused.error ?? '', /^volume\/in-use: .*\/v is in use$/);
  t.is(refused.status, 'attached');
  t.truthy(refused.loopDevice);
  t.deepEqual(await loopDevicesOf(file), [refused.loopDevice ?? 'none']);
  await runCommand(reaper, 'dd', [
    'if=/dev/zero',
    `of=${file}`,
    'bs=64k',
    'count=2',
    'conv=notrunc',
  ]);
  await letGo();
  t.is((await agent.order('detach')).status, 'detached');
  await agent.end();
});

needs('a volume is mounted, unmounted, and left as attached as it was before', async (t) => {
  const { agent, file, directory, reaper } = await hostWith(t, 'ext4');
  const spaced = directory.replace('mount point', 'm');
  mkdirSync(spaced);
  t.like(await agent.order(`mount ${spaced}`), { status: 'mounted', mountPath: spaced });
  await runCommand(reaper, 'sh', ['-c', `echo hello > ${spaced}/file`]);
  t.regex((await agent.order(`mount ${spaced}`)).error ?? '', /^volume\/in-use: .* already$/);
  t.regex((await agent.order('detach')).error ?? '', /^volume\/in-use: volume v is mounted on/);
  const letGo = await hold(reaper, `${spaced}/file`);
  t.regex((await agent.order('unmount')).error ?? '', /^volume\/in-use: .*\/m is in use$/);
  t.is((await agent.order('inspect')).status, 'mounted');
  await letGo();
  t.like(await agent.order('unmount'), { status: 'detached', loopDevice: null });
  t.false(await isMounted(file));
  t.regex((await agent.order('unmount')).error ?? '', /^volume\/not-mounted: /);

  t.is((await agent.order('attach')).status, 'attached');
  t.is((await agent.order(`mount ${spaced}/`)).mountPath, spaced);
  t.is((await runCommand(reaper, 'cat', [`${spaced}/file`])).trim(), 'hello');
  t.like(await agent.order('unmount'), { status: 'attached', path: file });
  t.is((await agent.order('detach')).error, undefined);
  await agent.end();
});

needs('where a volume cannot be mounted is said in one sentence, and nothing stays', async (t) => {
  const { agent, file, reaper, directories } = await hostWith(t, 'none');
  const errorOf = async (path: string) => (await agent.order(`mount ${path}`)).error ?? '';
  t.regex(await errorOf('/nowhere/at-all'), /^volume\/bad-path: \/nowhere\/at-all is not a dir/);
  t.regex(await errorOf('/etc/passwd'), /^volume\/bad-path: \/etc\/passwd is not a directory$/);
  t.regex(await errorOf('/proc'), /^volume\/in-use: something is mounted on \/proc already$/);
  const empty = join(directories.stateDir, 'm');
  mkdirSync(empty);
  t.regex(await errorOf(empty), /^volume\/no-file-system: there is no file system that can be/);
  t.false(await isMounted(file));
  t.is((await agent.order('inspect')).status, 'detached');
  // What was attached before stays attached.
  await agent.order('attach');
  t.regex(await errorOf(empty), /^volume\/no-file-system/);
  t.like(await agent.order('inspect'), { status: 'attached', loopDevice: null });
  await runCommand(reaper, 'dd', [`if=${file}`, 'of=/dev/null', 'bs=1M', 'count=1']);
  await agent.order('close');
  await agent.end();
});

needs('after an orderly end, and after a kill, everything is there anew', async (t) => {
  const host = await hostWith(t, 'ext4');
  const { file, reaper, directories } = host;
  const m = join(directories.stateDir, 'm');
  mkdirSync(m);
  await host.agent.order(`mount ${m}`);
  await runCommand(reaper, 'sh', ['-c', `echo one > ${m}/file; sync -f ${m}`]);
  t.is((await host.agent.order('close')).error, undefined);
  await host.agent.end();
  t.false(await isMounted(m));
  t.false(await isMounted(file));

  host.agent = await CatalogProcess.start(reaper, directories);
  t.like(await host.agent.order('inspect'), { status: 'mounted', mountPath: m });
  t.is((await runCommand(reaper, 'cat', [`${m}/file`])).trim(), 'one');
  await runCommand(reaper, 'sh', ['-c', `echo two > ${m}/file; sync -f ${m}`]);
  await host.agent.kill();
  t.true(await isMounted(m), 'what the kill left behind');

  host.agent = await CatalogProcess.start(reaper, directories);
  t.like(await host.agent.order('inspect'), { status: 'mounted', mountPath: m });
  t.is((await loopDevicesOf(file)).length, 1);
  t.is((await readMounts()).filter(({ mountPoint }) => mountPoint === m).length, 1);
  t.is((await runCommand(reaper, 'cat', [`${m}/file`])).trim(), 'two');
  t.is((await host.agent.order('unmount')).status, 'detached');
  await host.agent.end();
});

needs('an end of the agent while a program works there keeps what was written', async (t) => {
  const host = await hostWith(t, 'ext4');
  const { reaper, directories } = host;
  const m = join(directories.stateDir, 'm');
  mkdirSync(m);
  await host.agent.order(`mount ${m}`);
  await runCommand(reaper, 'sh', ['-c', `echo kept > ${m}/file`]);
  const letGo = await hold(reaper, `${m}/file`);
  t.regex((await host.agent.order('close')).error ?? '', /^volume\/in-use: .*\/m is in use$/);
  await host.agent.end();
  await letGo();
  host.agent = await CatalogProcess.start(reaper, directories);
  t.like(await host.agent.order('inspect'), { status: 'mounted', mountPath: m });
  t.regex(host.agent.log, /volume\.bits-recovered/);
  t.is((await runCommand(reaper, 'cat', [`${m}/file`])).trim(), 'kept');
  t.is((await host.agent.order('close')).error, undefined);
  await host.agent.end();
});

needs('what others take away is noticed, level by level', async (t) => {
  const { agent, file, reaper, directories } = await hostWith(t, 'ext4');
  const m = join(directories.stateDir, 'm');
  mkdirSync(m);
  await agent.order('attach loop');
  await agent.order(`mount ${m}`);
  await runCommand(reaper, 'umount', [m]);
  t.like(await agent.order('inspect'), { status: 'attached', mountPath: null });
  t.is((await agent.order(`mount ${m}`)).status, 'mounted');
  await runCommand(reaper, 'umount', [m]);
  t.is((await agent.order('unmount')).error, undefined);
  const [device = ''] = await loopDevicesOf(file);
  await runCommand(reaper, 'losetup', ['--detach', device]);
  await eventually('the loop device is gone', async () => (await loopDevicesOf(file)).length === 0);
  t.like(await agent.order('inspect'), { status: 'attached', loopDevice: null });
  await runCommand(reaper, 'umount', [file]);
  await eventually('its end is noticed', async () => {
    return (await agent.order('inspect')).status === 'detached';
  });
  t.regex(agent.log, /volume\.attachment-ended/);
  // The order to detach what has gone is fulfilled: it does not come back with the next agent.
  t.is((await agent.order('detach')).error, undefined);
  t.is((await agent.order('attach')).status, 'attached');
  t.is((await agent.order('detach')).status, 'detached');
  await agent.end();
});

requires(
  'root',
  'fuse',
  'loop',
  'losetup',
  'mkfs.xfs',
)('a volume with xfs is made, mounted, and comes back', async (t) => {
  const host = await hostWith(t, 'xfs');
  const { reaper, directories } = host;
  const m = join(directories.stateDir, 'm');
  mkdirSync(m);
  t.is((await host.agent.order(`mount ${m}`)).error, undefined);
  await runCommand(reaper, 'sh', ['-c', `echo x > ${m}/file; sync -f ${m}`]);
  await host.agent.kill();
  host.agent = await CatalogProcess.start(reaper, directories);
  t.is((await host.agent.order('inspect')).status, 'mounted');
  t.is((await runCommand(reaper, 'cat', [`${m}/file`])).trim(), 'x');
  t.is((await host.agent.order('close')).error, undefined);
  await host.agent.end();
});
