import assert from 'node:assert/strict';

/** The blocks in which two images differ; empty means equal byte for byte. */
export function differingBlocks(
  actual: Uint8Array,
  expected: Uint8Array,
  blockBytes: number,
): number[] {
  assert.equal(actual.length, expected.length, 'images of one size are compared');
  const blocks: number[] = [];
  for (let offset = 0; offset < actual.length; offset += blockBytes) {
    const end = offset + blockBytes;
    const same = Buffer.compare(actual.subarray(offset, end), expected.subarray(offset, end)) === 0;
    if (!same) blocks.push(offset / blockBytes);
  }
  return blocks;
}
