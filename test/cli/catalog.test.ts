import test from 'ava';

import { escapeName } from '../../src/cli/escape-name.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import type { Api, FileEntryView } from '../../src/control/schemas.ts';
import { openCliLab, SNAP_ID } from './cli-lab.ts';

type Line = Api['catalogCloudsnap']['output'];

const HEAD = {
  cloudsnapId: SNAP_ID,
  volumeName: 'db',
  created: '2019-01-17T00:03:59.000Z',
  fileSystem: 'ext4',
  content: '',
};

function entry(change: Partial<FileEntryView> = {}): FileEntryView {
  return {
    path: '/etc/hosts',
    type: 'file',
    sizeBytes: 1536,
    mode: '0644',
    uid: 0,
    gid: 4,
    links: 1,
    modified: '2019-01-16T22:27:30.123456789Z',
    ...change,
  };
}

function answering(lines: readonly Line[]) {
  return {
    catalogCloudsnap: async function* () {
      // One byte at a time: lines and letters are cut anywhere.
      for (const byte of Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))) {
        yield Uint8Array.of(byte);
      }
    },
  };
}

const end = (entries: number, isTruncated = false): Line => ({ end: { entries, isTruncated } });
const SAME = '1.5 KiB  0644  Wed, 16 Jan 2019 22:27:30 UTC';
const COMMAND = ['cloudsnap', 'catalog', '--snap', SNAP_ID];

test('a catalog is a table of its files, and no name breaks out of its line', async (t) => {
  const lab = await openCliLab(
    t,
    answering([
      { catalog: HEAD },
      { entry: entry() },
      { entry: entry({ path: '/a\n\u001b[2Jb\u202e', type: 'symlink', target: 'ä\r' }) },
      end(2),
    ]),
  );
  const { code, stdout, stderr } = await lab.run(...COMMAND);
  t.is(code, EXIT.ok, stderr);
  t.deepEqual(stdout.split('\n'), [
    'PATH                SIZE     MODE  MTIME                          OWNER  TYPE     TARGET',
    `/etc/hosts          ${SAME}  0:4    file`,
    String.raw`/a\n\x1b[2Jb\u202e  ${SAME}  0:4    symlink  ä\r`,
    '',
  ]);
});

test('with --json it is one object, whatever its length', async (t) => {
  for (const count of [0, 1, 1200]) {
    const entries = Array.from({ length: count }, (_, i) => entry({ path: `/f${i}` }));
    const lines = [{ catalog: HEAD }, ...entries.map((one) => ({ entry: one })), end(count)];
    const lab = await openCliLab(t, answering(lines));
    const { code, stdout, stderr } = await lab.run(...COMMAND, '--json');
    t.is(code, EXIT.ok, stderr);
    t.deepEqual(JSON.parse(stdout), { ...HEAD, entries, isTruncated: false });
  }
});

test('a list that is not all is said to be so, and a disk without files as well', async (t) => {
  const cut = await openCliLab(t, answering([{ catalog: HEAD }, { entry: entry() }, end(1, true)]));
  const some = await cut.run(...COMMAND);
  t.is(some.code, EXIT.ok);
  t.regex(
    some.stderr,
    /^the list ends after 1 files, and there are more: name a folder with --path/,
  );
  const head = { ...HEAD, fileSystem: 'none', content: 'a GPT partition table' };
  const raw = await openCliLab(t, answering([{ catalog: head }, { entry: entry() }, end(1)]));
  t.is(
    (await raw.run(...COMMAND)).stderr,
    'volume db holds a GPT partition table: it is listed as one file\n',
  );
});

test('what was asked for arrives', async (t) => {
  const asked: unknown[] = [];
  const lab = await openCliLab(t, {
    catalogCloudsnap: async function* (input) {
      asked.push(input);
      yield Buffer.from(`${JSON.stringify(end(0))}\n`);
    },
  });
  await lab.run('cs', 't', '-s', 'x', '--cr', 'k', '--path', '/a', '--depth', '2', '-x', '7');
  t.deepEqual(asked, [{ cloudsnap: 'x', credential: 'k', path: '/a', depth: 2, max: 7 }]);
  t.is((await lab.run(...COMMAND, '--depth', '0')).code, EXIT.usage);
  t.is((await lab.run(...COMMAND, '--max', 'many')).code, EXIT.usage);
  t.is((await lab.run('cs', 't')).code, EXIT.usage);
});

test('an escaped name can be told from every other', (t) => {
  t.is(escapeName('plain name.txt'), 'plain name.txt');
  t.is(escapeName('\\n'), '\\\\n');
  t.is(escapeName('\n'), '\\n');
  t.is(escapeName('\u0000\u007f\u009b'), '\\x00\\x7f\\x9b');
  t.is(escapeName('\u2028\u2066'), '\\u2028\\u2066');
});
