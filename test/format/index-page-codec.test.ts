import test from 'ava';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { ByteWriter } from '../../src/format/byte-writer.ts';
import { FRAME_RAW, FRAME_ZSTD } from '../../src/format/frame.ts';
import {
  MAX_PAGE_BYTES,
  decodeIndexPage,
  decodePageRecord,
  encodeIndexPage,
  encodePageRecord,
} from '../../src/format/index-page-codec.ts';
import { IndexPage, PAGE_BLOCKS } from '../../src/format/index-page.ts';
import { SNAP_NAMES, randomHex, randomPage } from './samples.ts';

const CORRUPT = { code: 'format/corrupt' };
const BLOCK = 65_536;
const identity = { snapName: SNAP_NAMES[2], pageNumber: 4711 };

const framesOf = (page: IndexPage) =>
  Array.from({ length: PAGE_BLOCKS }, (_, slot) => {
    const frame = page.get(slot);
    return frame && { ...frame, hash: Buffer.from(frame.hash).toString('hex') };
  });

/** A record from its parts; the defaults make a good one with one frame in slot 0. */
function record(parts: {
  names?: readonly string[];
  packs?: readonly (readonly [number, string])[];
  runs?: readonly number[];
  hashes?: number;
}): Uint8Array {
  const { names = [SNAP_NAMES[0]], packs = [[0, 'a'.repeat(32)]] } = parts;
  const writer = new ByteWriter().text(identity.snapName).varint(identity.pageNumber);
  writer.varint(names.length);
  for (const name of names) writer.text(name);
  writer.varint(packs.length);
  for (const [name, id] of packs) writer.varint(name).bytes(Buffer.from(id, 'hex'));
  for (const value of parts.runs ?? [3, 0, 0, 8 * 100 + FRAME_ZSTD, 2 * 255]) writer.varint(value);
  return writer.bytes(new Uint8Array(32 * (parts.hashes ?? 1)).fill(1)).finish();
}

const decode = (bytes: Uint8Array) => decodePageRecord(bytes, identity, BLOCK);

test('a page comes out as it went in, and is encoded the same again', (t) => {
  for (let seed = 1; seed <= 100; seed++) {
    const page = randomPage(seededRandom(seed), BLOCK);
    const sealed = encodeIndexPage(page, identity);
    t.true(sealed.length <= MAX_PAGE_BYTES);
    const decoded = decodeIndexPage(sealed, identity, BLOCK);
    t.deepEqual(framesOf(decoded), framesOf(page), `seed ${seed}`);
    t.deepEqual(encodePageRecord(decoded, identity), encodePageRecord(page, identity));
  }
});

test('a page without frames can be told from others', (t) => {
  const page = new IndexPage();
  t.true(page.isEmpty);
  t.true(decodeIndexPage(encodeIndexPage(page, identity), identity, BLOCK).isEmpty);
});

test('the largest page there can be stays within its limit', (t) => {
  const random = seededRandom(1);
  const page = new IndexPage();
  const volume = '9'.repeat(19);
  for (let slot = 0; slot < PAGE_BLOCKS; slot++) {
    const snapName = `${volume}-${9_999_999_999 - slot}12345678-incr`;
    const pack = { snapName, packId: randomHex(random, 16) };
    page.set(slot, { pack, offsetBytes: 16 << 20, payloadBytes: 1 << 20, encoding: FRAME_RAW });
    page.setHashes(slot, random.bytes(32));
  }
  const sealed = encodeIndexPage(page, identity);
  t.true(sealed.length <= MAX_PAGE_BYTES, `${sealed.length} bytes`);
  t.deepEqual(framesOf(decodeIndexPage(sealed, identity, 1 << 20)), framesOf(page));
});

test('a page of another place or another cloudsnap is refused', (t) => {
  const sealed = encodeIndexPage(randomPage(seededRandom(1), BLOCK), identity);
  t.throws(() => decodeIndexPage(sealed, { ...identity, pageNumber: 1 }, BLOCK), CORRUPT);
  const { snapName } = { snapName: SNAP_NAMES[0] };
  t.throws(() => decodeIndexPage(sealed, { ...identity, snapName }, BLOCK), CORRUPT);
});

test('hostile records are refused, each for one lie', (t) => {
  t.notThrows(() => decode(record({})));
  const lies: Record<string, Parameters<typeof record>[0]> = {
    'a name that is none': { names: ['../../etc'] },
    'a name that nobody uses': { names: [SNAP_NAMES[0], SNAP_NAMES[1]] },
    'a pack of no name': { names: [] },
    'names out of order of use': {
      names: [SNAP_NAMES[0], SNAP_NAMES[1]],
      packs: [[1, 'a'.repeat(32)]],
    },
    'a pack twice': {
      packs: [
        [0, 'a'.repeat(32)],
        [0, 'a'.repeat(32)],
      ],
      runs: [5, 0, 0, 802, 1, 0, 802, 508],
      hashes: 2,
    },
    'a pack that nobody uses': {
      packs: [
        [0, 'a'.repeat(32)],
        [0, 'b'.repeat(32)],
      ],
    },
    'no runs': { runs: [] },
    'an empty run': { runs: [0, 3, 0, 0, 802, 510] },
    'two runs that are one': { runs: [3, 0, 0, 802, 2, 508] },
    'a run beyond the page': { runs: [3, 0, 0, 802, 512] },
    'frames beyond the page': { runs: [2 * 257 + 1] },
    'a frame in no pack': { runs: [3, 1, 0, 802, 510] },
    'a frame beyond its pack': { runs: [3, 0, 18 << 20, 802, 510] },
    'an empty payload': { runs: [3, 0, 0, FRAME_ZSTD, 510] },
    'a raw frame that is short': { runs: [3, 0, 0, 8 * 100 + FRAME_RAW, 510] },
    'a compressed frame as long as a block': { runs: [3, 0, 0, 8 * BLOCK + FRAME_ZSTD, 510] },
    'an unknown encoding': { runs: [3, 0, 0, 8 * 100 + 5, 510] },
    'a hash too few': { hashes: 0 },
    'a hash too many': { hashes: 2 },
  };
  for (const [lie, parts] of Object.entries(lies)) {
    t.throws(() => decode(record(parts)), CORRUPT, lie);
  }
});

test('a slot that is cleared has no frame and no hash', (t) => {
  const page = randomPage(seededRandom(9), BLOCK);
  const copy = page.clone();
  for (let slot = 0; slot < PAGE_BLOCKS; slot++) page.clear(slot);
  t.true(page.isEmpty);
  t.true(page.hashes(0, PAGE_BLOCKS).every((byte) => byte === 0));
  t.false(copy.isEmpty);
});
