import test from 'ava';
import { endBlock } from '../../src/base/extent.ts';
import { ReadAhead } from '../../src/catalog/read-ahead.ts';

const at = (firstBlock: number, blockCount = 1) => ({ firstBlock, blockCount });

test('a block that is asked for alone brings nothing besides', (t) => {
  const ahead = new ReadAhead({ blockCount: 10_000, maxBlocks: 64 });
  for (const block of [0, 5000, 17, 900, 3000]) t.is(ahead.after(at(block)), undefined);
});

test('a reader in order gets windows that double up to the largest', (t) => {
  const ahead = new ReadAhead({ blockCount: 10_000, maxBlocks: 64 });
  const lengths: number[] = [];
  for (let block = 100; lengths.length < 9;) {
    const window = ahead.after(at(block));
    lengths.push(window?.blockCount ?? 0);
    block = window ? endBlock(window) : block + 1;
  }
  t.deepEqual(lengths, [0, 1, 2, 4, 8, 16, 32, 64, 64]);
});

test('a miss in a window that is on its way opens none, and does not end the order', (t) => {
  const ahead = new ReadAhead({ blockCount: 10_000, maxBlocks: 64 });
  ahead.after(at(0, 8));
  t.deepEqual(ahead.after(at(8, 8)), at(16, 8));
  t.is(ahead.after(at(18, 4)), undefined);
  t.deepEqual(ahead.after(at(24)), at(25, 16));
});

test('readers side by side each have their own window', (t) => {
  const ahead = new ReadAhead({ blockCount: 10_000, maxBlocks: 64 });
  const next = [0, 1000, 2000, 3000];
  const windows = next.map(() => 0);
  for (let round = 0; round < 5; round++) {
    for (const [reader, block] of next.entries()) {
      const window = ahead.after(at(block));
      windows[reader] = window?.blockCount ?? 0;
      next[reader] = window ? endBlock(window) : block + 1;
    }
  }
  t.deepEqual(windows, [8, 8, 8, 8]);
});

test('no window reaches beyond the end', (t) => {
  const ahead = new ReadAhead({ blockCount: 20, maxBlocks: 64 });
  ahead.after(at(0, 8));
  t.deepEqual(ahead.after(at(8, 8)), at(16, 4));
  t.is(ahead.after(at(16, 4)), undefined);
});
