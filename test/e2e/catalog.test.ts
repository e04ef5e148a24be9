import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { chooseLiveDirectory } from '../../src/config/live-directory.ts';
import { TestAgent } from '../support/agent.ts';
import { eventually } from '../support/eventually.ts';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';
import {
  catalogOf,
  catalogTraces,
  comparable,
  fill,
  found,
  mountVolume,
  withoutFolderSizes,
} from './catalog-lab.ts';

const MIB = 1 << 20;
const needs = ['root', 'fuse', 'loop', 'losetup', 'setfattr'] as const;

for (const fileSystem of ['ext4', 'xfs'] as const) {
  requires(...needs, `mkfs.${fileSystem}`)(
    `the files in every cloudsnap of a chain on ${fileSystem} are those at its instant`,
    async (t) => {
      const agent = await TestAgent.start(t);
      await agent.client.call('createVolume', { name: 'v', sizeBytes: 512 * MIB, fileSystem });
      const root = await mountVolume(agent, 'v');
      await fill(agent, root);
      const points = [];
      for (const change of ['true', 'rm -r licenses; mv deep moved; printf more >> plain']) {
        await runCommand(agent.reaper, 'sh', ['-ec', `cd "$1"; ${change}; sync -f .`, 'sh', root]);
        const files = await found(agent, root);
        points.push({ files, cloudsnap: (await agent.backup('v')).cloudsnapId });
      }
      t.true(points[1]?.cloudsnap.endsWith('-incr'));
      for (const { files, cloudsnap } of points) {
        const { head, entries, end } = await catalogOf(agent, { cloudsnap });
        t.is(head.fileSystem, fileSystem);
        t.deepEqual(comparable(entries), files);
        t.deepEqual(end, { entries: files.length, isTruncated: false });
      }
      const [first] = points;
      const cloudsnap = first?.cloudsnap ?? '';

      const below = await catalogOf(agent, { cloudsnap, path: 'deep//er/', depth: 1 });
      t.is(below.entries.length, 301);
      t.true(below.entries.every(({ path }) => path.startsWith('/deep/er/')));
      const some = await catalogOf(agent, { cloudsnap, max: 10 });
      t.deepEqual(some.end, { entries: 10, isTruncated: true });
      const one = await catalogOf(agent, { cloudsnap, path: '/absolute' });
      t.deepEqual(
        one.entries.map(({ target }) => target),
        ['/etc/passwd'],
      );

      // The first one again as files: the live ones have changed since.
      const to = join(agent.directory, 'out');
      const whole = await agent.cli(
        'cloudsnap',
        'extract',
        '--snap',
        cloudsnap,
        '--path',
        '/',
        '--to',
        to,
      );
      t.is(whole.code, 0, whole.stderr);
      const isFetched = ({ type }: Record<string, unknown>) => type !== 'character-device';
      t.deepEqual(
        withoutFolderSizes(await found(agent, to)),
        withoutFolderSizes(first?.files.filter(isFetched) ?? []),
      );
      const disk = await runCommand(agent.reaper, 'du', ['--block-size=1', join(to, 'sparse')]);
      t.true(Number(disk.split('\t')[0]) < MIB, disk);
      const note = ['--only-values', '-n', 'user.note', join(to, 'hard')];
      t.is(await runCommand(agent.reaper, 'getfattr', note), 'kept');
      await runCommand(agent.reaper, 'diff', [
        '-r',
        '/usr/share/common-licenses',
        join(to, 'licenses'),
      ]);
      t.deepEqual(catalogTraces(agent), []);
      t.deepEqual(readdirSync(join(agent.directory, 'state/catalog')), []);
    },
  );
}

requires(...needs, 'mkfs.ext4')(
  'a catalog and an extract by the command line say what cannot be in one sentence',
  async (t) => {
    const agent = await TestAgent.start(t);
    await agent.client.call('createVolume', { name: 'v', sizeBytes: 64 * MIB, fileSystem: 'ext4' });
    const root = await mountVolume(agent, 'v');
    await fill(agent, root);
    const { cloudsnapId: snap } = await agent.backup('v');
    const to = join(agent.directory, 'out');
    mkdirSync(to);
    const says = async (code: number, sentence: RegExp, ...args: string[]) => {
      const result = await agent.cli('cloudsnap', ...args);
      t.is(result.code, code, result.stderr);
      t.is(result.stdout, '');
      t.regex(result.stderr, sentence);
      t.true(result.stderr.trimEnd().split('\n').length <= 2, result.stderr);
    };
    const catalog = ['catalog', '--snap', snap, '--path'];
    await says(3, /there is no \/deep\/nothing in /, ...catalog, '/deep/nothing/x');
    await says(3, /\/plain is not a folder/, ...catalog, '/plain/x');
    await says(3, /\/absolute is a symbolic link/, ...catalog, '/absolute/x');
    await says(2, /'\.\.' in it/, ...catalog, '../x');
    await says(3, /1-1/, 'catalog', '--snap', '00000000-0000-0000-0000-000000000000/1-1');
    const extract = ['extract', '--snap', snap, '--to', to, '--path'];
    await says(3, /there is no \/nothing in /, ...extract, '/nothing');
    await says(3, /\/absolute is a symbolic link/, ...extract, '/absolute/x');
    t.deepEqual(readdirSync(to), []);

    const table = await agent.cli('cs', 't', '-s', snap, '--depth', '1');
    t.is(table.code, 0, table.stderr);
    t.regex(table.stdout, /^PATH +SIZE +MODE +MTIME +OWNER +TYPE +TARGET\n/);
    t.regex(table.stdout, /^\/odd\\nname\\x1b\[31m +1 B +0644 /m);
    t.regex(table.stdout, /^\/plain +5 B +4751 .* UTC +1234:5678 +file$/m);
    t.regex(table.stdout, /^\/absolute .* symlink +\/etc\/passwd$/m);
    const json = await agent.cli('cs', 't', '-s', snap, '--path', 'bin', '-j');
    const { entries } = JSON.parse(json.stdout) as {
      entries: { path: string; modified: string }[];
    };
    t.deepEqual(
      entries.map(({ path, modified }) => [path, modified]),
      [['/bin/old', '2001-02-03T04:05:06.123456789Z']],
    );
    t.deepEqual(catalogTraces(agent), []);
  },
);

requires(...needs, 'mkfs.ext4')(
  'a killed agent leaves nothing mounted once it runs again, nor does a caller who hangs up',
  async (t) => {
    const agent = await TestAgent.start(t);
    await agent.client.call('createVolume', {
      name: 'v',
      sizeBytes: 256 * MIB,
      fileSystem: 'ext4',
    });
    const root = await mountVolume(agent, 'v');
    await fill(agent, root);
    const many = 'cd "$1"; mkdir many; cd many; seq 1 20000 | xargs touch; sync -f .';
    await runCommand(agent.reaper, 'sh', ['-ec', many, 'sh', root]);
    const { cloudsnapId: cloudsnap } = await agent.backup('v');
    await agent.client.call('unmountVolume', { volume: 'v' });

    // A caller that reads no further holds the walk up in its middle.
    const begin = async () => {
      const stream = agent.client.stream('catalogCloudsnap', { cloudsnap });
      await stream.next();
      t.is(catalogTraces(agent).length, 3);
      return stream;
    };
    const left = await begin();
    await left.return();
    await eventually('nothing is left', async () => catalogTraces(agent).length === 0);

    const cut = await begin();
    await agent.kill();
    await t.throwsAsync(
      async () => {
        for await (const _ of cut);
      },
      { code: 'agent/connection-lost' },
    );
    await agent.startAgain();
    t.deepEqual(catalogTraces(agent), []);
    t.is((await catalogOf(agent, { cloudsnap, path: 'many' })).entries.length, 20_000);

    const stopped = await begin();
    await agent.stop();
    await t.throwsAsync(async () => {
      for await (const _ of stopped);
    });
    t.deepEqual(catalogTraces(agent), []);
    const own = join(agent.directory, 'run/live');
    t.false(existsSync(await chooseLiveDirectory(own, join(agent.directory, 'state'))));
  },
);
