import test from 'ava';
import { endBlock } from '../../src/base/extent.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import type { CloudsnapEntry } from '../../src/cloudsnap/cloudsnap-api.ts';
import { walkPack } from '../../src/format/pack.ts';
import {
  BLOCK,
  CloudsnapLab,
  ModelImage,
  collect,
  contentOf,
  differingBlocks,
} from './cloudsnap-lab.ts';

for (const blockBytes of [4096, 65_536, 1 << 20]) {
  test(`what was written is read back, in blocks of ${blockBytes} bytes`, async (t) => {
    const lab = await CloudsnapLab.open();
    const image = new ModelImage(blockBytes === 4096 ? 700 : 24, blockBytes);
    image.change(seededRandom(blockBytes), image.geometry.blockCount * 2);
    const entry = await lab.backUp(image, null);
    const content = await contentOf(await lab.another(), entry);
    t.deepEqual(differingBlocks(content, image.bytes, blockBytes), []);
  });
}

for (const seed of [1, 2, 3]) {
  test(`every point of F i i i i i i F equals the volume as it was, seed ${seed}`, async (t) => {
    t.log(`seed ${seed}`);
    const random = seededRandom(seed);
    const lab = await CloudsnapLab.open();
    const image = new ModelImage(900);
    const points: { entry: CloudsnapEntry; bytes: Uint8Array }[] = [];
    for (let point = 0; point < 8; point++) {
      image.change(random, random.below(200));
      if (point === 3) image.grow(1300);
      const parent = point % 7 === 0 ? undefined : points.at(-1)?.entry;
      const entry = await lab.backUp(image, parent ?? null);
      points.push({ entry, bytes: image.bytes.slice() });
    }
    t.deepEqual(
      points.map(({ entry }) => entry.manifest.incrementals),
      [0, 1, 2, 3, 4, 5, 6, 0],
    );
    const repository = await lab.another();
    for (const { entry, bytes } of points) {
      const found = await repository.find(entry.manifest.cloudsnapId);
      t.deepEqual(found, entry);
      t.deepEqual(differingBlocks(await contentOf(repository, found), bytes), []);
    }
  });
}

test('an empty volume has a cloudsnap without packs and index objects', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(1000);
  const entry = await lab.upload(image, null, []);
  t.deepEqual(differingBlocks(await contentOf(lab.repository, entry), image.bytes), []);
  const names = (await lab.keys()).map((key) => key.split('/').at(-1));
  t.deepEqual(names, ['open', 'root', '0000000001']);
});

test('zero blocks are in no pack and need no index page', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(600);
  image.write(300, seededRandom(4).bytes(BLOCK));
  const { manifest } = await lab.backUp(image, null);
  t.is(manifest.statistics.zeroBlocks, 599);
  t.is(manifest.statistics.uploadedBlocks, 1);
  const reader = await lab.repository.open(await lab.repository.find(manifest.cloudsnapId));
  t.deepEqual(await collect(reader.dataExtents()), [{ firstBlock: 300, blockCount: 1 }]);
  const runs = await reader.readBlocks({ firstBlock: 299, blockCount: 3 });
  t.deepEqual(
    runs.map((run) => run.data?.length),
    [undefined, BLOCK, undefined],
  );
});

test('a trimmed block is zero in the incremental and still there in its parent', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(300);
  for (const block of [10, 11, 290]) image.write(block, seededRandom(block).bytes(BLOCK));
  const before = image.bytes.slice();
  const full = await lab.backUp(image, null);
  image.write(11, new Uint8Array(BLOCK));
  image.write(290, new Uint8Array(BLOCK));
  const incremental = await lab.backUp(image, full);
  t.is(incremental.manifest.statistics.packs, 0);
  t.deepEqual(differingBlocks(await contentOf(lab.repository, incremental), image.bytes), []);
  t.deepEqual(differingBlocks(await contentOf(lab.repository, full), before), []);
});

test('a block that becomes zero and then what it was before is uploaded again', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(10);
  const content = seededRandom(8).bytes(BLOCK);
  image.write(5, content);
  const full = await lab.backUp(image, null);
  image.write(5, new Uint8Array(BLOCK));
  const zeroed = await lab.backUp(image, full);
  image.write(5, content);
  const again = await lab.backUp(image, zeroed);
  t.is(again.manifest.statistics.uploadedBlocks, 1);
  t.deepEqual(differingBlocks(await contentOf(lab.repository, again), image.bytes), []);
});

test('dirty blocks whose content did not change cost neither pack nor page', async (t) => {
  const lab = await CloudsnapLab.open();
  const random = seededRandom(12);
  const image = new ModelImage(600);
  for (let block = 0; block < 600; block++) image.write(block, random.bytes(BLOCK));
  const full = await lab.backUp(image, null);
  for (let block = 0; block < 600; block++) image.dirty.add(block);
  image.write(7, random.bytes(BLOCK));
  const { manifest } = await lab.backUp(image, full);
  t.like(manifest.statistics, { plannedBlocks: 600, unchangedBlocks: 599, uploadedBlocks: 1 });
  const prefix = `${manifest.cloudsnapId.split('/')[1]}/`;
  const packs = await lab.keys(`${prefix}pack-`);
  t.is(packs.length, 1);
  const frames = [...walkPack(await lab.disk.get(packs[0]!))];
  t.deepEqual(
    frames.map(({ block }) => block),
    [7],
  );
  const bodies = await Promise.all((await lab.keys(prefix)).map((key) => lab.disk.get(key)));
  const storedBytes = bodies.reduce((sum, body) => sum + body.length, 0);
  t.is(manifest.statistics.storedBytes, storedBytes);
  t.true(storedBytes < 20_000, `${storedBytes} bytes for one block`);
});

test('a volume that grew keeps what it had, and the new part is zero unless written', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(100);
  image.change(seededRandom(3), 100);
  const full = await lab.backUp(image, null);
  image.grow(5000);
  image.write(101, seededRandom(5).bytes(BLOCK));
  image.write(4999, seededRandom(6).bytes(BLOCK));
  const grown = await lab.backUp(image, full);
  t.is(grown.manifest.volume.sizeBytes, 5000 * BLOCK);
  t.deepEqual(differingBlocks(await contentOf(lab.repository, grown), image.bytes), []);
});

test('the extents that may hold data are ascending, maximal and complete', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(2000);
  const random = seededRandom(21);
  const blocks = [...Array(2000).keys()].filter((block) => block % 400 > 250 || random.chance(0.2));
  for (const block of blocks) image.write(block, random.bytes(BLOCK));
  const reader = await lab.repository.open(await lab.backUp(image, null));
  const extents = await collect(reader.dataExtents());
  t.deepEqual(
    extents.flatMap((extent) =>
      Array.from({ length: extent.blockCount }, (_, i) => extent.firstBlock + i),
    ),
    blocks,
  );
  for (const [i, extent] of extents.slice(1).entries()) {
    t.true(extent.firstBlock > endBlock(extents[i]!), 'neighbouring extents are one');
  }
});

test('packs are closed at their target size, and blocks lie in them in order', async (t) => {
  const lab = await CloudsnapLab.open();
  const blockBytes = 1 << 20;
  const image = new ModelImage(40, blockBytes);
  const random = seededRandom(30);
  for (let block = 0; block < 40; block++) image.write(block, random.bytes(blockBytes));
  const { manifest } = await lab.backUp(image, null);
  t.is(manifest.statistics.packs, 3);
  const blocks: number[][] = [];
  for (const key of await lab.keys(`${manifest.cloudsnapId.split('/')[1]}/pack-`)) {
    blocks.push([...walkPack(await lab.disk.get(key))].map(({ block }) => block));
  }
  blocks.sort((a, b) => a[0]! - b[0]!);
  t.deepEqual(blocks.flat(), [...Array(40).keys()]);
  t.deepEqual(
    blocks.map(({ length }) => length),
    [16, 16, 8],
  );
});
