import test from 'ava';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { ByteReader } from '../../src/format/byte-reader.ts';
import { ByteWriter } from '../../src/format/byte-writer.ts';

const CORRUPT = { code: 'format/corrupt' };
const reader = (...bytes: number[]) => new ByteReader(Uint8Array.from(bytes), 'the record');

test('what was written is read back, field by field', (t) => {
  const bytes = new ByteWriter()
    .u8(255)
    .u16(65_535)
    .u32(4_294_967_295)
    .u64(2n ** 64n - 1n)
    .text('Wörter 🙂')
    .bytes(Uint8Array.of(1, 2, 3))
    .finish();
  const read = new ByteReader(bytes, 'the record');
  t.is(read.u8(), 255);
  t.is(read.u16(), 65_535);
  t.is(read.u32(), 4_294_967_295);
  t.is(read.u64(), 2n ** 64n - 1n);
  t.is(read.text(100), 'Wörter 🙂');
  t.deepEqual([...read.bytes(3)], [1, 2, 3]);
  read.expectEnd();
});

test('a varint of any safe size is read back, and takes no more bytes than it needs', (t) => {
  const random = seededRandom(1);
  const values = [0, 1, 127, 128, 16_383, 16_384, 2 ** 32, Number.MAX_SAFE_INTEGER];
  for (let i = 0; i < 500; i++) values.push(Math.floor(random.next() * 2 ** random.below(53)));
  for (const value of values) {
    const bytes = new ByteWriter().varint(value).finish();
    t.is(bytes.length, Math.max(1, Math.ceil(value.toString(2).length / 7)));
    t.is(new ByteReader(bytes, 'x').varint(Number.MAX_SAFE_INTEGER), value);
    t.is(new ByteReader(bytes, 'x').varint(value), value);
    if (value > 0) t.throws(() => new ByteReader(bytes, 'x').varint(value - 1), CORRUPT);
  }
});

test('a varint that is longer than needed, endless or cut off is refused', (t) => {
  t.throws(() => reader(0x80, 0x00).varint(1000), CORRUPT);
  t.throws(() => reader(...Array<number>(300).fill(0x80), 0).varint(2 ** 53 - 1), CORRUPT);
  t.throws(() => reader(...Array<number>(300).fill(0xff)).varint(2 ** 53 - 1), CORRUPT);
  t.throws(() => reader(0x80).varint(1000), CORRUPT);
});

test('nothing is read beyond the end, and nothing is left over unnoticed', (t) => {
  t.throws(() => reader(1, 2, 3).u32(), { ...CORRUPT, message: /the record is damaged/ });
  t.throws(() => reader(1).bytes(2), CORRUPT);
  t.throws(() => reader(1, 2).expectEnd(), CORRUPT);
});

test('text that is too long or not UTF-8 is refused', (t) => {
  t.throws(() => reader(3, 65, 66, 67).text(2), CORRUPT);
  t.throws(() => reader(2, 0xc3, 0x28).text(10), CORRUPT);
  t.throws(() => reader(3, 0xed, 0xa0, 0x80).text(10), CORRUPT);
});
