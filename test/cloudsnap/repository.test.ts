import test from 'ava';
import { createLog } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { BLOCK, CloudsnapLab, ModelImage, contentOf, differingBlocks } from './cloudsnap-lab.ts';

const { signal } = new AbortController();

test('a listing is ordered by volume and sequence, and can be of one volume', async (t) => {
  const lab = await CloudsnapLab.open();
  const images = [new ModelImage(10), new ModelImage(10), new ModelImage(10)];
  for (let round = 0; round < 2; round++) {
    for (const image of images) await lab.backUp(image, null);
  }
  const listed = await lab.repository.list({});
  const ids = images.map(({ id }) => id).sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1));
  t.deepEqual(
    listed.map(({ manifest }) => [manifest.volume.id, manifest.sequence]),
    ids.flatMap((id) => [
      [id, 1],
      [id, 2],
    ]),
  );
  const { id } = images[0]!;
  const ofOne = await lab.repository.list({ volumeId: id });
  t.deepEqual(
    ofOne,
    listed.filter(({ manifest }) => manifest.volume.id === id),
  );
});

test('all clusters of a bucket are listed, and read from any of them', async (t) => {
  const disk = new MemoryStore();
  const here = await CloudsnapLab.open({ disk });
  const there = await CloudsnapLab.open({ disk });
  const image = new ModelImage(30);
  image.change(seededRandom(1), 30);
  const entry = await there.backUp(image, null);
  t.deepEqual(await here.repository.list({}), []);
  t.deepEqual(await here.repository.list({ allClusters: true }), [entry]);
  const found = await here.repository.find(entry.manifest.cloudsnapId);
  t.deepEqual(differingBlocks(await contentOf(here.repository, found), image.bytes), []);
  t.not(here.repository.id, there.repository.id);
});

test('a manifest that cannot be read hides no other, and is reported', async (t) => {
  const lines: string[] = [];
  const lab = await CloudsnapLab.open({ log: createLog((line) => lines.push(line)) });
  const image = new ModelImage(10);
  const first = await lab.backUp(image, null);
  const second = await lab.backUp(image, null);
  const third = await lab.backUp(image, null);
  const manifests = (await lab.keys()).filter((key) => key.includes('/manifests/'));
  await lab.alter(manifests[0]!, () => new Uint8Array(70_000));
  const future = Buffer.from('{"formatVersion":2}');
  await lab.alter(manifests[1]!, () => future);
  const repository = await lab.another();
  t.deepEqual(await repository.list({}), [third]);
  t.is(lines.filter((line) => line.includes('cloudsnap.manifest-unreadable')).length, 2);
  await t.throwsAsync(repository.find(first.manifest.cloudsnapId), { code: 'cloudsnap/corrupt' });
  await t.throwsAsync(repository.find(second.manifest.cloudsnapId), {
    code: 'format/unsupported',
    message: /format version 2, and this cloudvol reads version 1/,
  });
});

test('a manifest at another key than its own is refused', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(10);
  await lab.backUp(image, null);
  await lab.backUp(image, null);
  const [first, second] = (await lab.keys()).filter((key) => key.includes('/manifests/'));
  await lab.disk.put(first!, await lab.disk.get(second!));
  t.is((await (await lab.another()).list({})).length, 1);
});

test('what is no cloudsnap id, and what is not there, is not found', async (t) => {
  const lab = await CloudsnapLab.open();
  const entry = await lab.backUp(new ModelImage(10), null);
  const id = entry.manifest.cloudsnapId;
  const other = id.replace(/[0-9]$/, (digit) => String((Number(digit) + 1) % 10));
  for (const wrong of [
    '',
    '/',
    'x',
    `${id}-incr`,
    other,
    `../${id}`,
    `${lab.clusterId}/1-112345678`,
  ]) {
    await t.throwsAsync(lab.repository.find(wrong), { code: 'cloudsnap/not-found' }, wrong);
  }
});

test('an incremental is refused when its parent cannot be one', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(64);
  const parent = await lab.backUp(image, null);
  const plan = lab.plan(image, parent, []);
  const other = new ModelImage(64, 2 * BLOCK);
  const refused = (volume: typeof plan.volume) =>
    t.throwsAsync(lab.repository.begin({ ...plan, volume }, signal), {
      code: 'cloudsnap/parent-mismatch',
    });
  await refused({ ...plan.volume, geometry: other.geometry });
  await refused({ ...plan.volume, geometry: new ModelImage(63).geometry });
  await refused({ ...plan.volume, id: other.id });
  const later = await lab.backUp(image, parent);
  await t.throwsAsync(lab.repository.begin(plan, signal), { code: 'cloudsnap/parent-not-latest' });
  await lab.repository.delete(later);
  t.is((await lab.backUp(image, parent)).manifest.sequence, 3);
  const gone = await lab.backUp(image, null);
  await lab.repository.delete(gone);
  await t.throwsAsync(lab.repository.begin(lab.plan(image, gone, []), signal), {
    code: 'cloudsnap/parent-missing',
  });
});
