import { createHash, createHmac } from 'node:crypto';
import test from 'ava';
import { CLEAR } from '../../src/cloudsnap/root-cipher.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { ENCODE_PIECE_BYTES, encodeExtent } from '../../src/cloudsnap/block-codec.ts';
import { FRAME_HEADER_BYTES, FRAME_RAW, FRAME_ZSTD } from '../../src/format/frame.ts';
import {
  OUTCOME_UNCHANGED,
  OUTCOME_ZERO,
  codec,
  type CodecError,
  type EncodedBlocks,
} from '../../src/native.ts';

const BLOCK = 4096;

function mixedBlocks(seed: number): Uint8Array {
  const random = seededRandom(seed);
  const blocks = new Uint8Array(6 * BLOCK);
  for (const block of [1, 4]) blocks.set(random.bytes(BLOCK), block * BLOCK);
  blocks.fill(9, 2 * BLOCK, 3 * BLOCK);
  blocks[5 * BLOCK + BLOCK - 1] = 1;
  return blocks;
}

/** The request that decodes every frame into the slot of its block. */
function decodeRequest(encoded: EncodedBlocks, firstBlock: number, target: Uint8Array) {
  const slots = [...encoded.outcomes.keys()].filter((i) => encoded.payloadBytes[i]! > 0);
  return {
    source: encoded.frames,
    blockBytes: BLOCK,
    offsets: Uint32Array.from(slots, (i) => encoded.offsets[i]!),
    blocks: Uint32Array.from(slots, (i) => firstBlock + i),
    payloadBytes: Uint32Array.from(slots, (i) => encoded.payloadBytes[i]!),
    encodings: Uint8Array.from(slots, (i) => encoded.outcomes[i]!),
    hashes: new Uint8Array(
      Buffer.concat(slots.map((i) => encoded.hashes.subarray(32 * i, 32 * i + 32))),
    ),
    slots: Uint32Array.from(slots),
    target,
  };
}

test('each block is zero, raw or compressed, and decodes to what it was', async (t) => {
  const source = mixedBlocks(1);
  const encoded = await codec().encodeBlocks({ source, blockBytes: BLOCK, firstBlock: 77 });
  const raw = FRAME_RAW;
  const zstd = FRAME_ZSTD;
  t.deepEqual([...encoded.outcomes], [OUTCOME_ZERO, raw, zstd, OUTCOME_ZERO, raw, zstd]);
  t.is(
    encoded.frames.length,
    4 * FRAME_HEADER_BYTES + 2 * BLOCK + encoded.payloadBytes[2]! + encoded.payloadBytes[5]!,
  );
  const target = new Uint8Array(source.length);
  await codec().decodeFrames(decodeRequest(encoded, 77, target));
  t.is(Buffer.compare(target, source), 0);
});

test('content hashes are SHA-256, or HMAC-SHA-256 under a key', async (t) => {
  const source = mixedBlocks(2);
  const key = seededRandom(3).bytes(32);
  const plain = await codec().encodeBlocks({ source, blockBytes: BLOCK, firstBlock: 0 });
  const keyed = await codec().encodeBlocks({ source, blockBytes: BLOCK, firstBlock: 0, key });
  for (const block of [1, 2, 4, 5]) {
    const content = source.subarray(block * BLOCK, (block + 1) * BLOCK);
    const range = [32 * block, 32 * block + 32] as const;
    t.deepEqual(
      Buffer.from(plain.hashes.subarray(...range)),
      createHash('sha256').update(content).digest(),
    );
    t.deepEqual(
      Buffer.from(keyed.hashes.subarray(...range)),
      createHmac('sha256', key).update(content).digest(),
    );
  }
  const target = new Uint8Array(source.length);
  await codec().decodeFrames({ ...decodeRequest(keyed, 0, target), key });
  t.is(Buffer.compare(target, source), 0);
  await t.throwsAsync(codec().decodeFrames(decodeRequest(keyed, 0, target)), {
    code: 'content-hash',
  });
});

test('blocks with the hash of their parent have no frame', async (t) => {
  const source = mixedBlocks(4);
  const { hashes } = await codec().encodeBlocks({ source, blockBytes: BLOCK, firstBlock: 0 });
  source[4 * BLOCK] = source[4 * BLOCK]! ^ 1;
  const child = await codec().encodeBlocks({
    source,
    blockBytes: BLOCK,
    firstBlock: 0,
    parentHashes: hashes,
  });
  t.deepEqual(
    [...child.outcomes],
    [
      OUTCOME_ZERO,
      OUTCOME_UNCHANGED,
      OUTCOME_UNCHANGED,
      OUTCOME_ZERO,
      FRAME_RAW,
      OUTCOME_UNCHANGED,
    ],
  );
});

test('a failure names the frame that is wrong', async (t) => {
  const source = mixedBlocks(5);
  const encoded = await codec().encodeBlocks({ source, blockBytes: BLOCK, firstBlock: 0 });
  const good = decodeRequest(encoded, 0, new Uint8Array(source.length));
  const failsWith = async (code: CodecError['code'], position: number, change: object) => {
    const error = await t.throwsAsync(codec().decodeFrames({ ...good, ...change }), { code });
    t.is((error as CodecError).position, position);
  };
  await failsWith('frame-bounds', 3, { source: good.source.subarray(0, -1) });
  await failsWith('frame-bounds', 1, { offsets: good.offsets.with(1, 0xffff_ffff) });
  await failsWith('header-mismatch', 2, { blocks: good.blocks.with(2, 99) });
  await failsWith('header-mismatch', 0, { encodings: good.encodings.with(0, FRAME_ZSTD) });
  await failsWith('header-mismatch', 0, { hashes: good.hashes.with(5, good.hashes[5]! ^ 1) });
  const altered = good.source.with(
    FRAME_HEADER_BYTES + 8,
    good.source[FRAME_HEADER_BYTES + 8]! ^ 1,
  );
  await failsWith('content-hash', 0, { source: altered });
});

test('wrong arguments are refused before any work', (t) => {
  const source = new Uint8Array(BLOCK);
  const good = { source, blockBytes: BLOCK, firstBlock: 0 };
  const encode = (request: object) => () => codec().encodeBlocks({ ...good, ...request });
  t.throws(encode({ source: source.subarray(1) }), { instanceOf: TypeError });
  t.throws(encode({ source: new Uint16Array(BLOCK / 2) }), { instanceOf: TypeError });
  t.throws(encode({ source: new Uint8Array((4 << 20) + BLOCK) }), { instanceOf: TypeError });
  t.throws(encode({ blockBytes: 0 }), { instanceOf: TypeError });
  t.throws(encode({ blockBytes: 1 << 30 }), { instanceOf: TypeError });
  t.throws(encode({ firstBlock: -1 }), { instanceOf: TypeError });
  t.throws(encode({ parentHashes: new Uint8Array(31) }), { instanceOf: TypeError });
  t.throws(encode({ key: new Uint8Array(0) }), { instanceOf: TypeError });
  const column = new Uint32Array(1);
  const decode = {
    source,
    blockBytes: BLOCK,
    offsets: column,
    blocks: column,
    payloadBytes: column,
    encodings: new Uint8Array(1),
    hashes: new Uint8Array(32),
    target: source,
  };
  const outside = { ...decode, slots: Uint32Array.of(1) };
  t.throws(() => codec().decodeFrames(outside), { instanceOf: TypeError });
});

test('an extent is encoded in pieces, in order, whatever its length', async (t) => {
  const pieceBlocks = ENCODE_PIECE_BYTES / BLOCK;
  for (const blocks of [1, pieceBlocks, 2 * pieceBlocks + 3]) {
    const data = seededRandom(blocks).bytes(blocks * BLOCK);
    const pieces = await encodeExtent({
      firstBlock: 5,
      data,
      blockBytes: BLOCK,
      parentHashes: new Uint8Array(32 * blocks),
      cipher: CLEAR,
    });
    let next = 5;
    for (const piece of pieces) {
      t.is(piece.firstBlock, next);
      next += piece.blockCount;
    }
    t.is(next, 5 + blocks);
  }
});
