import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import test, { type ExecutionContext } from 'ava';

import { CloudvolError } from '../../src/base/errors.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { openCliLab, SNAP_ID } from './cli-lab.ts';

interface Lab {
  /** Where files are extracted to. */
  readonly to: string;
  readonly asked: unknown[];
  readonly extract: (
    ...args: string[]
  ) => ReturnType<Awaited<ReturnType<typeof openCliLab>>['run']>;
}

/** Answers with an archive of `fill`ed files; then fails, if the test says so. */
async function openLab(
  t: ExecutionContext,
  fillRoot: (root: string) => void,
  failure?: Error,
): Promise<Lab> {
  const directory = mkdtempSync(join(tmpdir(), 'cloudvol-extract-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const [root, to] = [join(directory, 'root'), join(directory, 'to')];
  mkdirSync(root);
  mkdirSync(to);
  fillRoot(root);
  const asked: unknown[] = [];
  const lab = await openCliLab(t, {
    extractCloudsnap: async function* ({ paths }) {
      asked.push(paths);
      const names = paths.map((path) => path.slice(1)).map((name) => name || '.');
      const archive = execFileSync('tar', ['-cf', '-', '--format=posix', '-C', root, ...names]);
      // In pieces, as it comes from an agent.
      for (let at = 0; at < archive.length; at += 1000) yield archive.subarray(at, at + 1000);
      if (failure) throw failure;
    },
  });
  const args = ['cloudsnap', 'extract', '--snap', SNAP_ID, '--to', to];
  return { to, asked, extract: (...more) => lab.run(...args, ...more) };
}

function fill(root: string): void {
  mkdirSync(join(root, 'srv/me'), { recursive: true });
  writeFileSync(join(root, 'srv/me/a'), 'a');
  chmodSync(join(root, 'srv/me/a'), 0o664);
  linkSync(join(root, 'srv/me/a'), join(root, 'srv/me/b'));
  symlinkSync('/etc', join(root, 'srv/etc'));
  mkdirSync(join(root, 'sealed'));
  writeFileSync(join(root, 'sealed/c'), 'c');
  chmodSync(join(root, 'sealed'), 0o555);
}

test('files and folders come to lie under their own names, with modes and links', async (t) => {
  const { to, asked, extract } = await openLab(t, fill);
  const result = await extract('--path', '/srv/me/', '--path', 'srv/etc', '--path', 'sealed');
  t.is(result.code, EXIT.ok, result.stderr);
  t.deepEqual(asked, [['/srv/me', '/srv/etc', '/sealed']]);
  t.deepEqual(readdirSync(to).toSorted(), ['etc', 'me', 'sealed']);
  t.true(lstatSync(join(to, 'etc')).isSymbolicLink());
  t.is(lstatSync(join(to, 'me/a')).mode & 0o7777, 0o664);
  t.is(lstatSync(join(to, 'me/a')).ino, lstatSync(join(to, 'me/b')).ino);
  t.is(lstatSync(join(to, 'sealed')).mode & 0o7777, 0o555);
  t.regex(
    result.stdout,
    /^Extracted .*\/to\/me\nExtracted .*\/to\/etc\nExtracted .*\/to\/sealed\n/,
  );
});

test('the whole of a backup comes to lie in the directory itself', async (t) => {
  const { to, extract } = await openLab(t, fill);
  const result = await extract('--path', '/', '--json');
  t.is(result.code, EXIT.ok, result.stderr);
  t.deepEqual(readdirSync(to).toSorted(), ['sealed', 'srv']);
  const { cloudsnapId, paths } = JSON.parse(result.stdout) as Record<string, unknown>;
  t.deepEqual([cloudsnapId, paths], [SNAP_ID, [to]]);
});

test('nothing is overwritten, and no link in the destination is followed', async (t) => {
  const { to, asked, extract } = await openLab(t, fill);
  const outside = mkdtempSync(join(tmpdir(), 'cloudvol-outside-'));
  t.teardown(() => rmSync(outside, { recursive: true, force: true }));
  symlinkSync(outside, join(to, 'me'));
  const result = await extract('--path', 'srv/me');
  t.is(result.code, EXIT.conflict);
  t.regex(result.stderr, /\/to\/me is there already/);
  t.deepEqual(asked, []);
  symlinkSync(outside, join(to, 'srv'));
  t.is((await extract('--path', '/')).code, EXIT.conflict);
  t.deepEqual(readdirSync(outside), []);
  t.deepEqual(readdirSync(to).toSorted(), ['me', 'srv']);
});

test('an archive that would lead out of the directory does not', async (t) => {
  const outside = mkdtempSync(join(tmpdir(), 'cloudvol-outside-'));
  t.teardown(() => rmSync(outside, { recursive: true, force: true }));
  // Not what an agent makes: a link out of it, and then a file through the link; and `..`.
  const evil = (root: string) => {
    symlinkSync(outside, join(root, 'x'));
    writeFileSync(join(root, 'payload'), 'evil');
    const tar = (...args: string[]) =>
      execFileSync('tar', ['-C', root, '-f', `${root}.tar`, ...args]);
    tar('-c', 'x');
    tar('-r', '--transform=s,^payload,x/stolen,', 'payload');
    tar('-r', '-P', `--transform=s,^payload,${outside}/absolute,`, 'payload');
    tar('-r', '-P', '--transform=s,^payload,../../escaped,', 'payload');
  };
  const directory = mkdtempSync(join(tmpdir(), 'cloudvol-evil-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, 'root'));
  evil(join(directory, 'root'));
  const archive = readFileSync(join(directory, 'root.tar'));
  const lab = await openCliLab(t, {
    extractCloudsnap: async function* () {
      yield archive;
    },
  });
  const to = join(directory, 'to');
  await lab.run('cloudsnap', 'extract', '--snap', SNAP_ID, '--to', to, '--path', 'x');
  t.deepEqual(readdirSync(outside), []);
  t.false(existsSync(join(directory, 'escaped')));
  t.false(existsSync(join(to, 'escaped')));
});

test('a failure in the middle leaves nothing, and says why', async (t) => {
  const failure = new CloudvolError('catalog/unreadable', 'the store is on fire');
  const { to, extract } = await openLab(t, fill, failure);
  const result = await extract('--path', 'srv');
  t.is(result.code, EXIT.failed);
  t.is(result.stderr, 'cloudvol: the store is on fire\n');
  t.deepEqual(readdirSync(to), []);
});

test('what is no archive is said to be none, however much of it comes', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'cloudvol-noise-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const lab = await openCliLab(t, {
    extractCloudsnap: async function* () {
      for (let i = 0; i < 64; i++) yield Buffer.alloc(1 << 20, 'noise');
    },
  });
  const args = ['--snap', SNAP_ID, '--to', directory, '--path', 'x'];
  const result = await lab.run('cloudsnap', 'extract', ...args);
  t.is(result.code, EXIT.failed);
  t.regex(result.stderr, /^cloudvol: the files cannot be written: tar: .*\nhint: .*\n$/);
  t.deepEqual(readdirSync(directory), []);
});

test('paths that make no sense together are refused before anything is asked', async (t) => {
  const { asked, extract } = await openLab(t, fill);
  const refusals = [
    [[], /a file or folder has to be named/],
    [['--path', '../x'], /--path "\.\.\/x" names no file/],
    [['--path', ''], /--path "" names no file/],
    [['--path', '/a', '--path', 'a/b'], /--path \/a\/b comes with --path \/a already/],
    [['--path', '/a/b', '--path', '/'], /--path \/a\/b comes with --path \/ already/],
    [['--path', 'a/x', '--path', 'b/x'], /\/b\/x and \/a\/x would lie in the same place/],
  ] as const;
  for (const [args, sentence] of refusals) {
    const result = await extract(...args);
    t.is(result.code, EXIT.usage, sentence.source);
    t.regex(result.stderr, sentence);
  }
  t.deepEqual(asked, []);
});
