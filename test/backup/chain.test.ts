import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { geometryOf } from '../../src/base/geometry.ts';
import { DirectoryStore } from '../../src/store/directory.ts';
import { Lab } from '../model/lab.ts';
import { changeManyAtRandom } from '../model/random-changes.ts';

for (const seed of [1, 2]) {
  test(`every point of a chain of 21 cloudsnaps restores equal, seed ${seed}`, async (t) => {
    const random = seededRandom(seed);
    const lab = await Lab.open({ geometry: geometryOf(600 * 4096, 4096) });
    changeManyAtRandom(lab.volume, random, 80);
    let kinds = '';
    for (let i = 0; i < 21; i++) {
      const entry = await lab.backup();
      kinds += entry.manifest.parent ? 'i' : 'F';
      changeManyAtRandom(lab.volume, random, random.below(25));
    }
    t.is(kinds, 'FiiiiiiFiiiiiiFiiiiii');
    const visible = await lab.visible();
    t.is(visible.length, 21);
    for (const entry of visible) {
      t.deepEqual(await lab.wrongBlocks(entry), [], entry.manifest.cloudsnapId);
    }
  });
}

test('a full one that was asked for starts a new period', async (t) => {
  const random = seededRandom(3);
  const lab = await Lab.open();
  let kinds = '';
  for (let i = 0; i < 12; i++) {
    changeManyAtRandom(lab.volume, random, 3);
    const entry = await lab.backup({ full: i === 3 });
    kinds += entry.manifest.parent ? 'i' : 'F';
  }
  t.is(kinds, 'FiiFiiiiiiFi');
});

test('a chain in a directory restores equal, also by the next process', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'cloudvol-chain-'));
  t.teardown(() => rm(path, { recursive: true }));
  const random = seededRandom(4);
  const lab = await Lab.open({ disks: [await DirectoryStore.open({ path })] });
  for (let i = 0; i < 9; i++) {
    changeManyAtRandom(lab.volume, random, 10);
    await lab.backup();
    if (i % 4 === 0) await lab.restart();
  }
  const visible = await lab.visible();
  t.is(visible.map((entry) => (entry.manifest.parent ? 'i' : 'F')).join(''), 'FiiiiiiFi');
  for (const entry of visible) t.deepEqual(await lab.wrongBlocks(entry), []);
});
