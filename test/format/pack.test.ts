import test from 'ava';
import { seededRandom } from '../../src/base/seeded-random.ts';
import {
  PACK_HEADER_BYTES,
  decodePackHeader,
  encodePackHeader,
  walkPack,
} from '../../src/format/pack.ts';
import { codec } from '../../src/native.ts';
import { VOLUME, randomHex } from './samples.ts';

const CORRUPT = { code: 'format/corrupt' };
const BLOCK = 4096;

async function samplePack() {
  const random = seededRandom(1);
  const source = new Uint8Array(8 * BLOCK);
  for (const block of [0, 3]) source.set(random.bytes(BLOCK), block * BLOCK);
  source.fill(5, 6 * BLOCK, 7 * BLOCK);
  const encoded = await codec().encodeBlocks({ source, blockBytes: BLOCK, firstBlock: 100 });
  const header = { packId: randomHex(random, 16), volumeId: VOLUME, blockBytes: BLOCK };
  const pack = Buffer.concat([encodePackHeader(header), encoded.frames]);
  return { header, encoded, pack: new Uint8Array(pack) };
}

test('a pack can be walked without an index', async (t) => {
  const { header, encoded, pack } = await samplePack();
  t.deepEqual(decodePackHeader(pack), header);
  const frames = [...walkPack(pack)];
  t.deepEqual(
    frames.map(({ block }) => block),
    [100, 103, 106],
  );
  for (const frame of frames) {
    const i = frame.block - 100;
    t.is(frame.offsetBytes, PACK_HEADER_BYTES + encoded.offsets[i]!);
    t.is(frame.payloadBytes, encoded.payloadBytes[i]!);
    t.is(frame.encoding, encoded.outcomes[i]! as 1 | 2);
    t.deepEqual(Buffer.from(frame.hash), Buffer.from(encoded.hashes.subarray(32 * i, 32 * i + 32)));
  }
});

test('an altered header, and a pack that ends within a frame, are refused', async (t) => {
  const { pack } = await samplePack();
  for (let at = 0; at < PACK_HEADER_BYTES; at++) {
    t.throws(() => decodePackHeader(pack.with(at, pack[at]! ^ 1)), CORRUPT);
  }
  for (const length of [0, 39, 41, PACK_HEADER_BYTES + 100, pack.length - 1]) {
    t.throws(() => [...walkPack(pack.subarray(0, length))], CORRUPT);
  }
});

test('frames out of order or with a payload that cannot be are refused', async (t) => {
  const { pack } = await samplePack();
  const alter = (at: number, byte: number) => [
    ...walkPack(pack.with(PACK_HEADER_BYTES + at, byte)),
  ];
  t.throws(() => alter(0, 110), CORRUPT, 'block 110 before 103');
  t.throws(() => alter(3, 255), CORRUPT, 'a block that no volume has');
  t.throws(() => alter(4, 1), CORRUPT, 'a raw payload of another length');
  t.throws(() => alter(8, 3), CORRUPT, 'an encoding that is reserved');
  t.throws(() => alter(9, 1), CORRUPT, 'a reserved byte');
});
