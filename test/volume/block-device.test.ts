import test from 'ava';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { differingBlocks } from '../model/differing-blocks.ts';
import { BACKING, DiskLab, ImageSource, newVolume, readAll } from './disk-lab.ts';
import { changeBoth, randomImage } from './random-bytes.ts';

const OPERATIONS = 150;

for (const [blockBytes, blocks] of [
  [4096, 96],
  [65_536, 24],
  [1 << 20, 4],
] as const) {
  for (const isLazy of [false, true]) {
    const what = `blocks of ${blockBytes}${isLazy ? ' that come from a source' : ''}`;
    test(`any sequence of writes, trims and reads is that of a disk: ${what}`, async (t) => {
      const seed = blockBytes + Number(isLazy);
      const random = seededRandom(seed);
      const sizeBytes = blockBytes * blocks;
      const lab = new DiskLab(t);
      const catalog = await lab.open();
      const model = isLazy ? randomImage(random, sizeBytes, blockBytes) : new Uint8Array(sizeBytes);
      const wanted = newVolume(sizeBytes, blockBytes);
      const source = new ImageSource(model.slice(), blockBytes);
      const volume = isLazy
        ? await catalog.createAbsent({ ...wanted, backing: BACKING, source })
        : await catalog.create(wanted);
      const maxBytes = Math.min(blockBytes * 3, 1 << 20);
      for (let step = 0; step < OPERATIONS; step++) {
        await changeBoth(random, volume, model, maxBytes);
        const offset = random.below(sizeBytes - 1);
        const length = 1 + random.below(Math.min(maxBytes, sizeBytes - offset));
        const bytes = new Uint8Array(length);
        await volume.read(offset, bytes);
        const expected = model.subarray(offset, offset + length);
        const isEqual = Buffer.compare(bytes, expected) === 0;
        if (!isEqual) t.fail(`seed ${seed}, step ${step}: ${length} bytes at ${offset} differ`);
        if (random.chance(0.05)) await volume.flush();
      }
      t.deepEqual(differingBlocks(await readAll(volume), model, blockBytes), [], `seed ${seed}`);
      // Reading all has made all present: from now on no source is asked.
      const asked = source.requests.length;
      t.is(volume.absentBlocks, 0);
      t.deepEqual(differingBlocks(await readAll(volume), model, blockBytes), []);
      t.is(source.requests.length, asked);
      await catalog.close();
    });
  }
}

test('changes of neighbouring parts of one absent block at a time all stay', async (t) => {
  const blockBytes = 65_536;
  const random = seededRandom(7);
  const image = randomImage(random, blockBytes * 4, blockBytes);
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const source = new ImageSource(image.slice(), blockBytes);
  const volume = await catalog.createAbsent({
    ...newVolume(image.length, blockBytes),
    backing: BACKING,
    source,
  });
  await Promise.all(
    Array.from({ length: 64 }, async (_, i) => {
      const bytes = new Uint8Array(1000).fill(i + 1);
      image.set(bytes, i * 4096 + 100);
      await volume.write(i * 4096 + 100, bytes);
    }),
  );
  t.deepEqual(differingBlocks(await readAll(volume), image, blockBytes), []);
  await catalog.close();
});

test('nothing is read or written beyond the end', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const volume = await catalog.create(newVolume(8192));
  await t.throwsAsync(volume.read(8000, new Uint8Array(200)));
  await t.throwsAsync(volume.write(8192, new Uint8Array(1)));
  await t.throwsAsync(volume.trim(0, 8193));
  await volume.write(8191, new Uint8Array([9]));
  t.is((await readAll(volume)).at(-1), 9);
  await catalog.close();
});
