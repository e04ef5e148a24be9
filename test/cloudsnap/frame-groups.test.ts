import test from 'ava';
import {
  MAX_GAP_BYTES,
  MAX_GROUP_BYTES,
  groupFrames,
  type WantedFrame,
} from '../../src/cloudsnap/frame-groups.ts';
import { FRAME_HEADER_BYTES, FRAME_RAW } from '../../src/format/frame.ts';

const PAYLOAD = 65_536;
const FRAME = FRAME_HEADER_BYTES + PAYLOAD;
const [one, two] = ['a', 'b'].map((digit) => ({
  snapName: '7-112345678',
  packId: digit.repeat(32),
}));

function wanted(block: number, pack = one!, offsetBytes = 40 + block * FRAME): WantedFrame {
  const hash = new Uint8Array(32);
  const frame = { pack, offsetBytes, payloadBytes: PAYLOAD, encoding: FRAME_RAW, hash } as const;
  return { block, slot: block, frame };
}

function shapeOf(frames: readonly WantedFrame[]) {
  return groupFrames(frames).map((group) => ({
    pack: group.pack.packId[0],
    offset: group.offsetBytes,
    length: group.lengthBytes,
    blocks: group.frames.map(({ block }) => block),
  }));
}

test('neighbours in one pack are one group', (t) => {
  t.deepEqual(shapeOf([0, 1, 2].map((block) => wanted(block))), [
    { pack: 'a', offset: 40, length: 3 * FRAME, blocks: [0, 1, 2] },
  ]);
});

test('packs have groups of their own, also when their blocks alternate', (t) => {
  const frames = [wanted(0), wanted(1, two, 40), wanted(1), wanted(2, two, 40 + FRAME)];
  t.deepEqual(
    shapeOf(frames).map(({ pack, length }) => [pack, length]),
    [
      ['a', 2 * FRAME],
      ['b', 2 * FRAME],
    ],
  );
});

test('a group ends before a gap that is larger than allowed, and before it grows too long', (t) => {
  const far = wanted(1, one, 40 + FRAME + MAX_GAP_BYTES + 1);
  t.is(shapeOf([wanted(0), far]).length, 2);
  const near = wanted(1, one, 40 + FRAME + MAX_GAP_BYTES);
  t.is(shapeOf([wanted(0), near]).length, 1);
  const many = Array.from({ length: 300 }, (_, block) => wanted(block));
  const groups = shapeOf(many);
  t.true(groups.every(({ length }) => length <= MAX_GROUP_BYTES));
  t.is(groups.length, Math.ceil(300 / Math.floor(MAX_GROUP_BYTES / FRAME)));
  t.deepEqual(
    groups.flatMap(({ blocks }) => blocks),
    [...Array(300).keys()],
  );
});

test('nothing wanted, no groups', (t) => {
  t.deepEqual(groupFrames([]), []);
});
