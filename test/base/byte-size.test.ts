import test from 'ava';

import { formatByteSize, parseByteSize } from '../../src/base/byte-size.ts';

test('sizes are read in powers of 1024, in every spelling', (t) => {
  const sizes: [string, number][] = [
    ['4096', 4096],
    ['4G', 4 * 2 ** 30],
    ['4GB', 4 * 2 ** 30],
    ['4 GiB', 4 * 2 ** 30],
    ['64KiB', 65536],
    ['64k', 65536],
    ['1.5m', 1.5 * 2 ** 20],
    ['0', 0],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ];
  for (const [text, bytes] of sizes) t.is(parseByteSize(text), bytes, text);
});

test('what is not a whole number of bytes below 2^53 is refused', (t) => {
  const bad = ['', 'G', '-1', '4X', '1.2', '0.3', '1e9', '9007199254740992', '9P', '٣'];
  for (const text of bad) {
    t.throws(() => parseByteSize(text), { code: 'usage/bad-size' }, text);
  }
});

test('sizes are printed with one decimal at most, and never as 1024 of a unit', (t) => {
  t.is(formatByteSize(0), '0 B');
  t.is(formatByteSize(1023), '1023 B');
  t.is(formatByteSize(4 * 2 ** 30), '4 GiB');
  t.is(formatByteSize(1.5 * 2 ** 20), '1.5 MiB');
  t.is(formatByteSize(2 ** 20 - 1), '1 MiB');
});
