import test from 'ava';
import { CloudvolError } from '../../src/base/errors.ts';
import { geometryOf } from '../../src/base/geometry.ts';
import type { Image } from '../../src/catalog/image.ts';
import { ImageSource } from '../../src/catalog/image-source.ts';
import type { FetchedRun, FetchPriority } from '../../src/volume/backing-source.ts';
import type { Extent } from '../../src/base/extent.ts';

const BLOCK = 4096;

class Chain {
  readonly requests: (Extent & { priority: FetchPriority })[] = [];
  fault: Error | undefined;
  isClosed = false;

  async readBlocks({ firstBlock, blockCount }: Extent, options: { priority: FetchPriority }) {
    this.requests.push({ firstBlock, blockCount, ...options });
    if (this.fault) throw this.fault;
    return [{ firstBlock, blockCount, data: new Uint8Array(blockCount * BLOCK) }];
  }

  async close() {
    this.isClosed = true;
  }
}

function open(budgetBytes = 1 << 30) {
  const chain = new Chain();
  const populated: FetchedRun[] = [];
  const image: Image = {
    cloudsnapId: 'c/1-1',
    volumeName: 'v',
    fileSystem: 'none',
    createdMs: 0,
    geometry: geometryOf(1000 * BLOCK, BLOCK),
    source: chain,
    async *dataExtents() {},
  };
  const populate = async (run: FetchedRun) => void populated.push(run);
  return { chain, populated, source: new ImageSource(image, { budgetBytes, populate }) };
}

const read = (source: ImageSource, firstBlock: number, blockCount = 1) =>
  source.readBlocks({ firstBlock, blockCount }, { priority: 'demand' });

test('nobody waits for a store for ever: a demand read gives up', async (t) => {
  const { chain, source } = open();
  await read(source, 3);
  t.deepEqual(chain.requests, [{ firstBlock: 3, blockCount: 1, priority: 'prefetch' }]);
});

test('what is read ahead fills the disk, and nothing is fetched twice', async (t) => {
  const { chain, populated, source } = open();
  await read(source, 13);
  await read(source, 0, 8);
  await read(source, 8, 4);
  await source.close();
  // Of the window of 8 behind block 12, block 13 is here already.
  t.deepEqual(
    chain.requests.filter(({ priority }) => priority === 'background'),
    [
      { firstBlock: 12, blockCount: 1, priority: 'background' },
      { firstBlock: 14, blockCount: 2, priority: 'background' },
    ],
  );
  t.deepEqual(
    populated.map(({ firstBlock, blockCount }) => [firstBlock, blockCount]),
    [
      [12, 1],
      [14, 2],
    ],
  );
  t.true(chain.isClosed);
});

test('the first failure of a read is kept; one of a read ahead is not', async (t) => {
  const { chain, source } = open();
  await read(source, 0, 8);
  const reading = read(source, 8, 8);
  chain.fault = new CloudvolError('store/unavailable', 'away');
  await t.notThrowsAsync(reading);
  t.is(source.failure, undefined);
  await t.throwsAsync(read(source, 500), { message: 'away' });
  chain.fault = new CloudvolError('store/denied', 'later');
  await t.throwsAsync(read(source, 600), { message: 'later' });
  t.is((source.failure as Error).message, 'away');
});

test('more than the budget is refused in one sentence', async (t) => {
  const { source } = open(16 * BLOCK);
  await read(source, 0, 10);
  await t.throwsAsync(read(source, 500, 10), {
    code: 'catalog/no-space',
    message: /^this needs more than the 64 KiB that may be kept here/,
  });
});
