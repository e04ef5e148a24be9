import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { changeTree } from '../../src/demo/tree/change-tree.ts';
import { compareTrees } from '../../src/demo/tree/compare-trees.ts';
import { digestTree } from '../../src/demo/tree/digest-tree.ts';
import { fillTree } from '../../src/demo/tree/fill-tree.ts';
import { callTree } from '../../src/demo/tree/tree-calls.ts';
import { openReaper } from '../../src/demo/reaper/reaper.ts';

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'cloudvol-tree-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  return path;
}

/** A source with small and large files, a link, odd modes. */
function source(t: ExecutionContext): string {
  const root = folder(t);
  mkdirSync(join(root, 'deep/er'), { recursive: true });
  for (let index = 0; index < 300; index++) {
    writeFileSync(join(root, 'deep', `small-${index}`), `content ${index}\n`.repeat(index + 1));
  }
  for (let index = 0; index < 30; index++) {
    writeFileSync(join(root, 'deep/er', `large-${index}`), Buffer.alloc(1 << 20, index + 1));
  }
  chmodSync(join(root, 'deep/small-7'), 0o4711);
  symlinkSync('small-8', join(root, 'deep/link'));
  symlinkSync('/nowhere', join(root, 'deep/dangling'));
  return root;
}

function copyOf(t: ExecutionContext, from: string): { to: string; files: number } {
  const to = folder(t);
  const { files } = fillTree(to, [{ path: from, limitBytes: Infinity }], {
    leastBytes: 1,
    mostBytes: Infinity,
  });
  return { to: join(to, from), files };
}

test('a filled tree has every file of its source with content, mode and link', (t) => {
  const from = source(t);
  const { to, files } = copyOf(t, from);
  t.is(files, 332);
  t.deepEqual(compareTrees(digestTree(from), digestTree(to)), []);
});

test('a tree that would be too small is refused', (t) => {
  const sources = [{ path: source(t), limitBytes: 1000 }];
  t.throws(() => fillTree(folder(t), sources, { leastBytes: 1 << 30, mostBytes: Infinity }), {
    code: 'demo/too-few-files',
  });
});

test('limits of bytes bound what is copied', (t) => {
  const sources = [{ path: source(t), limitBytes: 4 << 20 }];
  const { bytes } = fillTree(folder(t), sources, { leastBytes: 1, mostBytes: Infinity });
  t.true(bytes >= 4 << 20 && bytes <= 5 << 20, `${bytes} bytes were copied`);
});

test('the same seed changes a tree in the same way, another in another', (t) => {
  const from = source(t);
  const trees = [1, 1, 2].map((seed) => {
    const { to } = copyOf(t, from);
    const changes = changeTree(to, seed);
    t.like(changes, { overwritten: 24, appended: 40, added: 30, deleted: 60, renamed: 20 });
    return digestTree(to);
  });
  const [first = [], same = [], other = []] = trees;
  t.deepEqual(compareTrees(first, same), []);
  t.true(compareTrees(first, other).length > 50);
  t.true(compareTrees(digestTree(from), first).length > 100);
});

test('every kind of difference between trees is named', (t) => {
  const root = folder(t);
  for (const name of ['content', 'mode', 'kind', 'missing', 'size']) {
    writeFileSync(join(root, name), 'as it was');
  }
  symlinkSync('a', join(root, 'target'));
  const before = digestTree(root);
  t.deepEqual(compareTrees(before, digestTree(root)), []);
  for (const name of ['missing', 'kind', 'target']) rmSync(join(root, name));
  writeFileSync(join(root, 'content'), 'as it is ');
  writeFileSync(join(root, 'size'), 'as it was!');
  chmodSync(join(root, 'mode'), 0o600);
  mkdirSync(join(root, 'kind'));
  symlinkSync('b', join(root, 'target'));
  writeFileSync(join(root, 'surplus'), '');
  const named = compareTrees(before, digestTree(root)).map((line) => line.split(/[ :]/)[0]);
  t.deepEqual(
    [...new Set(named)],
    ['content', 'kind', 'missing', 'mode', 'size', 'target', 'surplus'],
  );
});

test('calls run in a process of their own and tell their errors', async (t) => {
  const reaper = await openReaper();
  const { signal } = new AbortController();
  const root = source(t);
  t.deepEqual(await callTree(reaper, 'digest', { root }, signal), digestTree(root));
  const input = { root: folder(t), sources: [], leastBytes: 1, mostBytes: 2 };
  await t.throwsAsync(callTree(reaper, 'fill', input, signal), { code: 'demo/too-few-files' });
  await reaper.done();
});

test('a call that is aborted ends with its process and with the reason', async (t) => {
  const reaper = await openReaper();
  const stop = new AbortController();
  const root = folder(t);
  // Sparse: takes no space, and minutes to read.
  writeFileSync(join(root, 'endless'), '');
  truncateSync(join(root, 'endless'), 2 ** 40);
  const call = callTree(reaper, 'read', { root, path: 'endless' }, stop.signal);
  const reason = new Error('enough');
  stop.abort(reason);
  t.is(await t.throwsAsync(call), reason);
  await reaper.done();
});
