import { createHash } from 'node:crypto';
import { chownSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { followTask } from '../../src/demo/follow-task.ts';
import { TestAgent } from '../support/agent.ts';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';
import { catalogOf, catalogTraces, comparable, fill, found, mountVolume } from './catalog-lab.ts';

const MIB = 1 << 20;
const SECRETS = 'a passphrase of the secret store';
const needs = ['root', 'fuse', 'loop', 'losetup', 'setfattr', 'mkfs.ext4'] as const;

async function withCredential(agent: TestAgent, path: string, passphrase: string): Promise<void> {
  await agent.client.call('loginSecrets', { passphrase: SECRETS });
  const credential = { name: 'sealed', provider: 'directory', path, passphrase } as const;
  await agent.client.call('createCredential', credential);
}

requires(...needs)(
  'another host lists and fetches what is in an encrypted bucket, and says why it cannot',
  async (t) => {
    const agent = await TestAgent.start(t);
    const bucket = join(agent.directory, 'bucket');
    await withCredential(agent, bucket, 'words that nobody knows');
    await agent.client.call('createVolume', { name: 'v', sizeBytes: 64 * MIB, fileSystem: 'ext4' });
    const root = await mountVolume(agent, 'v');
    await fill(agent, root);
    const files = await found(agent, root);
    const backup = { volume: 'v', credential: 'sealed' };
    const { id } = await agent.client.call('backup', backup);
    const { cloudsnapId } = await followTask(agent.client, id);
    const other = await TestAgent.start(t);
    await withCredential(other, bucket, 'words that nobody knows');
    const input = { cloudsnap: cloudsnapId, credential: 'sealed' };
    t.deepEqual(comparable((await catalogOf(other, input)).entries), files);
    const to = join(other.directory, 'out');
    const args = ['--snap', cloudsnapId, '--cred-id', 'sealed', '--to', to];
    const fetched = await other.cli('cloudsnap', 'extract', ...args, '--path', 'licenses');
    t.is(fetched.code, 0, fetched.stderr);
    await runCommand(other.reaper, 'diff', ['-r', join(root, 'licenses'), join(to, 'licenses')]);

    // A pack that is gone: the file system above makes EIO of it, the answer names the cloudsnap.
    const snap = join(bucket, cloudsnapId);
    for (const name of readdirSync(snap).filter((object) => object.startsWith('pack-'))) {
      rmSync(join(snap, name));
    }
    const lost = await other.cli('cloudsnap', 'catalog', ...args.slice(0, 4));
    t.is(lost.code, 65, lost.stderr);
    t.is(lost.stdout, '');
    t.true(lost.stderr.includes(cloudsnapId), lost.stderr);
    t.deepEqual([...catalogTraces(agent), ...catalogTraces(other)], []);
  },
);

requires(...needs)(
  'a disk without a file system is one file, a lost one is an error',
  async (t) => {
    const agent = await TestAgent.start(t);
    const file = await agent.createAttached('raw', 64 * MIB);
    const dd = (target: string, ...operands: string[]) =>
      runCommand(agent.reaper, 'dd', [`of=${target}`, 'bs=1M', 'conv=notrunc', ...operands]);
    await dd(file, 'if=/dev/urandom', 'seek=9', 'count=3');
    const script = 'printf "\\125\\252" | dd of="$1" bs=1 seek=510 conv=notrunc';
    await runCommand(agent.reaper, 'sh', ['-ec', script, 'sh', file]);
    const { cloudsnapId } = await agent.backup('raw');
    const { head, entries } = await catalogOf(agent, { cloudsnap: cloudsnapId });
    t.is(head.content, 'a partition table or boot sector');
    t.deepEqual(
      entries.map(({ path, sizeBytes }) => [path, sizeBytes]),
      [['/volume.img', 64 * MIB]],
    );
    const to = join(agent.directory, 'out');
    const extract = ['cloudsnap', 'extract', '--snap', cloudsnapId, '--to', to, '--path'];
    t.is((await agent.cli(...extract, 'volume.img')).code, 0);
    await runCommand(agent.reaper, 'cmp', [file, join(to, 'volume.img')]);
    t.true(lstatSync(join(to, 'volume.img')).blocks * 512 < 8 * MIB);
    const wrong = await agent.cli(...extract, '/etc/passwd');
    t.is(wrong.code, 3);
    t.regex(wrong.stderr, /there is no \/etc\/passwd in .*, only \/volume\.img\n/);

    await agent.client.call('createVolume', {
      name: 'gone',
      sizeBytes: 64 * MIB,
      fileSystem: 'ext4',
    });
    await dd(await agent.attach('gone'), 'if=/dev/zero', 'count=1');
    const { cloudsnapId: gone } = await agent.backup('gone');
    const lost = await agent.cli('cloudsnap', 'catalog', '--snap', gone);
    t.is(lost.code, 1);
    t.regex(lost.stderr, /^cloudvol: .* holds no ext4 file system\nhint: /);
    // One whose superblock is there and nothing behind it.
    await agent.client.call('createVolume', {
      name: 'torn',
      sizeBytes: 64 * MIB,
      fileSystem: 'ext4',
    });
    await dd(await agent.attach('torn'), 'if=/dev/zero', 'bs=2048', 'seek=1', 'count=16384');
    const { cloudsnapId: torn } = await agent.backup('torn');
    const broken = await agent.cli('cloudsnap', 'catalog', '--snap', torn);
    t.is(broken.code, 1);
    t.regex(broken.stderr, /^cloudvol: the ext4 file system in .* cannot be mounted: .*\nhint: /);
    t.deepEqual(catalogTraces(agent), []);
  },
);

requires(...needs)(
  'whoever extracts writes with their own rights: no set-uid program of somebody else',
  async (t) => {
    const agent = await TestAgent.start(t);
    await agent.client.call('createVolume', { name: 'v', sizeBytes: 64 * MIB, fileSystem: 'ext4' });
    const root = await mountVolume(agent, 'v');
    await fill(agent, root);
    const { cloudsnapId } = await agent.backup('v');
    const to = join(agent.directory, 'out');
    mkdirSync(to);
    const [nobody, users] = [65_534, 100];
    chownSync(to, nobody, users);
    chownSync(agent.socketPath, 0, users);
    const cli = join(import.meta.dirname, '../../bin/cloudvol');
    const command = [cli, 'cloudsnap', 'extract', '--socket', agent.socketPath];
    const args = ['--snap', cloudsnapId, '--to', to, '--path', '/plain', '--path', '/empty'];
    await runCommand(agent.reaper, 'setpriv', [
      `--reuid=${nobody}`,
      `--regid=${users}`,
      '--clear-groups',
      // The program may lie where only root can read.
      '--inh-caps=+dac_read_search',
      '--ambient-caps=+dac_read_search',
      ...command,
      ...args,
    ]);
    const plain = lstatSync(join(to, 'plain'));
    t.is(plain.uid, nobody);
    t.is((plain.mode & 0o7777).toString(8), '751');
    t.is((lstatSync(join(to, 'empty')).mode & 0o7777).toString(8), '555');
    const sum = createHash('sha256')
      .update(readFileSync(join(to, 'plain')))
      .digest('hex');
    t.is(sum, createHash('sha256').update('hello').digest('hex'));
  },
);
