import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import type { FileEntry } from '../../src/catalog/file-entry.ts';
import { walkFiles } from '../../src/catalog/walk-files.ts';
import { walkTree, type WalkOptions } from '../../src/catalog/walker/walk-tree.ts';

function tree(t: ExecutionContext): string {
  const root = mkdtempSync(join(tmpdir(), 'cloudvol-walk-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  for (const folder of ['a/b/c', 'z', 'empty']) mkdirSync(join(root, folder), { recursive: true });
  for (const file of ['a/1', 'a/b/2', 'a/b/c/3', 'z/4', 'Z', 'a-b']) {
    writeFileSync(join(root, file), file);
  }
  symlinkSync('a', join(root, 'link'));
  writeFileSync(Buffer.concat([Buffer.from(`${root}/b`), Buffer.from([0xff])]), '');
  return root;
}

async function walk(root: string, options: Partial<WalkOptions> = {}): Promise<FileEntry[]> {
  const all = { root, names: [], depth: 99, withStart: false, ...options };
  return (await Readable.from(walkTree(all)).toArray()) as FileEntry[];
}

const paths = (entries: readonly FileEntry[]) => entries.map(({ path }) => path);

test('a folder stands before what is in it, names in the order of their bytes', async (t) => {
  t.deepEqual(paths(await walk(tree(t))), [
    '/Z',
    '/a',
    '/a/1',
    '/a/b',
    '/a/b/2',
    '/a/b/c',
    '/a/b/c/3',
    '/a-b',
    '/b\ufffd',
    '/empty',
    '/link',
    '/z',
    '/z/4',
  ]);
});

test('a walk can begin below, end at a depth, and name where it began', async (t) => {
  const root = tree(t);
  t.deepEqual(paths(await walk(root, { names: ['a'], depth: 1 })), ['/a/1', '/a/b']);
  t.deepEqual(paths(await walk(root, { names: ['a', 'b'], withStart: true })), [
    '/a/b',
    '/a/b/2',
    '/a/b/c',
    '/a/b/c/3',
  ]);
  t.deepEqual(paths(await walk(root, { names: ['a', '1'] })), ['/a/1']);
  t.deepEqual(paths(await walk(root, { withStart: true, depth: 1 })).slice(0, 2), ['/', '/Z']);
  t.deepEqual(await walk(root, { names: ['empty'] }), []);
});

test('a link is told of, never followed', async (t) => {
  const root = tree(t);
  const [link] = await walk(root, { names: ['link'] });
  t.is(link?.type, 'symlink');
  t.is(link?.target, 'a');
  for (const name of ['1', 'b']) {
    await t.throwsAsync(walk(root, { names: ['link', name] }), {
      message: '/link is a symbolic link',
    });
  }
  await t.throwsAsync(walk(root, { names: ['Z', 'x'] }), { message: '/Z is not a folder' });
  await t.throwsAsync(walk(root, { names: ['a', 'no'] }), { message: 'there is no /a/no' });
  await t.throwsAsync(walk(root, { names: ['x'.repeat(300)] }), { message: /^there is no/ });
});

test('a name that is no text is given with its bytes', async (t) => {
  const entry = (await walk(tree(t))).find(({ path }) => path.startsWith('/b'));
  t.deepEqual(Buffer.from(entry?.pathBase64 ?? '', 'base64'), Buffer.from('/b\xff', 'latin1'));
});

test('a process of its own walks as well, and ends early when it is told to', async (t) => {
  const root = tree(t);
  const { signal } = new AbortController();
  const order = { root, names: [], depth: 99, withStart: false, max: 4 };
  const files = walkFiles(order, 'c/1-1', signal);
  const seen: string[] = [];
  let next = await files.next();
  for (; !next.done; next = await files.next()) seen.push(next.value.path);
  t.deepEqual(seen, ['/Z', '/a', '/a/1', '/a/b']);
  t.deepEqual(next.value, { entries: 4, isTruncated: true });
  const missing = walkFiles({ ...order, names: ['no'] }, 'c/1-1', signal);
  await t.throwsAsync(missing.next(), {
    code: 'catalog/no-such-path',
    message: 'there is no /no in c/1-1',
  });
});

test('a walk that is called off ends with the reason', async (t) => {
  const controller = new AbortController();
  const order = { root: tree(t), names: [], depth: 99, withStart: false, max: 99 };
  const files = walkFiles(order, 'c/1-1', controller.signal);
  controller.abort(new Error('enough'));
  await t.throwsAsync(Readable.from(files).toArray(), { message: 'enough' });
});
