import test from 'ava';
import { MAX_BLOCKS_PER_VOLUME } from '../../src/base/geometry.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { ByteWriter } from '../../src/format/byte-writer.ts';
import {
  MAX_ROOT_BYTES,
  decodeIndexRoot,
  decodeRootRecord,
  encodeIndexRoot,
  encodeRootRecord,
} from '../../src/format/index-root-codec.ts';
import { IndexRoot } from '../../src/format/index-root.ts';
import { SNAP_NAMES, randomRoot } from './samples.ts';

const CORRUPT = { code: 'format/corrupt' };
const [name] = SNAP_NAMES;

const pagesOf = (root: IndexRoot) =>
  Array.from({ length: root.pageCount }, (_, number) => root.get(number));

test('a root comes out as it went in, and is encoded the same again', (t) => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = seededRandom(seed);
    const root = randomRoot(random, 1 + random.below(50_000));
    const decoded = decodeIndexRoot(encodeIndexRoot(root, name), name);
    t.is(decoded.blockBytes, root.blockBytes);
    t.is(decoded.blockCount, root.blockCount);
    t.deepEqual(pagesOf(decoded), pagesOf(root), `seed ${seed}`);
    t.deepEqual(encodeRootRecord(decoded, name), encodeRootRecord(root, name));
  }
});

test('the root of the largest volume stays within its limit', (t) => {
  const root = new IndexRoot(4096, MAX_BLOCKS_PER_VOLUME);
  const random = seededRandom(1);
  const ends = new Map<number, number>();
  for (let page = 0; page < root.pageCount; page++) {
    const number = Math.floor(page / 200);
    const object = objectOf(number);
    const offsetBytes = (ends.get(number) ?? 0) + random.below(3000);
    root.set(page, { object, offsetBytes, lengthBytes: 30_000 });
    ends.set(number, offsetBytes + 30_000);
  }
  const sealed = encodeIndexRoot(root, name);
  t.true(sealed.length <= MAX_ROOT_BYTES, `${sealed.length} bytes`);
  t.deepEqual(decodeIndexRoot(sealed, name).get(root.pageCount - 1), root.get(root.pageCount - 1));
});

const objects = new Map<number, { snapName: string; number: number; lengthBytes: number }>();
function objectOf(number: number) {
  const known = objects.get(number) ?? { snapName: name, number, lengthBytes: 8 << 20 };
  objects.set(number, known);
  return known;
}

test('a root that grew keeps its pages; objects that nobody uses are forgotten', (t) => {
  const root = randomRoot(seededRandom(3), 5000);
  const grown = root.grownTo(9000);
  t.deepEqual(pagesOf(grown).slice(0, root.pageCount), pagesOf(root));
  t.true(
    pagesOf(grown)
      .slice(root.pageCount)
      .every((page) => page === undefined),
  );
  for (let page = 0; page < grown.pageCount; page++) grown.clear(page);
  t.true(encodeIndexRoot(grown, name).length < 120);
});

test('the root of another cloudsnap is refused', (t) => {
  const sealed = encodeIndexRoot(randomRoot(seededRandom(1), 5000), name);
  t.throws(() => decodeIndexRoot(sealed, SNAP_NAMES[1]), CORRUPT);
});

interface Parts {
  blockBytes?: number;
  blockCount?: number;
  names?: readonly string[];
  objects?: readonly (readonly [number, number, number])[];
  runs?: readonly number[];
  rest?: number;
}

/** The defaults make a good root of two pages, the first stored. */
function record(parts: Parts): Uint8Array {
  const writer = new ByteWriter().text(name);
  writer.varint(parts.blockBytes ?? 65_536).varint(parts.blockCount ?? 500);
  const names = parts.names ?? [name];
  writer.varint(names.length);
  for (const each of names) writer.text(each);
  const stored = parts.objects ?? [[0, 0, 1000]];
  writer.varint(stored.length);
  for (const fields of stored) for (const field of fields) writer.varint(field);
  for (const value of parts.runs ?? [3, 0, 0, 1000, 2]) writer.varint(value);
  return writer.bytes(new Uint8Array(parts.rest ?? 0)).finish();
}

test('hostile records are refused, each for one lie', (t) => {
  t.notThrows(() => decodeRootRecord(record({}), name));
  const lies: Record<string, Parts> = {
    'a block size that cannot be': { blockBytes: 65_535 },
    'a block size of nothing': { blockBytes: 0 },
    'no blocks': { blockCount: 0, runs: [] },
    'more blocks than can be': { blockCount: MAX_BLOCKS_PER_VOLUME + 1 },
    'fewer pages than it has': { blockCount: 200 },
    'more pages than it has': { blockCount: MAX_BLOCKS_PER_VOLUME },
    'a name that is none': { names: ['x/../y'] },
    'a name that nobody uses': { names: [name, SNAP_NAMES[1]] },
    'an object twice': {
      objects: [
        [0, 0, 1000],
        [0, 0, 2000],
      ],
      runs: [5, 0, 0, 10, 1, 0, 10],
    },
    'an object that nobody uses': {
      objects: [
        [0, 0, 1000],
        [0, 1, 1000],
      ],
    },
    'an object that is too long': { objects: [[0, 0, 100 << 20]] },
    'a page in no object': { runs: [3, 1, 0, 1000, 2] },
    'a page beyond its object': { runs: [3, 0, 1, 1000, 2] },
    'a page that is too long': { runs: [3, 0, 0, 100_000, 2] },
    'an empty page': { runs: [3, 0, 0, 0, 2] },
    'an empty run': { runs: [1, 3, 0, 0, 1000, 2] },
    'two runs that are one': { runs: [2, 2], objects: [], names: [] },
    'something behind the end': { rest: 1 },
  };
  for (const [lie, parts] of Object.entries(lies)) {
    t.throws(() => decodeRootRecord(record(parts), name), CORRUPT, lie);
  }
});
