import test from 'ava';
import { CloudvolError, hasCode } from '../../src/base/errors.ts';
import { createLog } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import type { CloudsnapEntry } from '../../src/cloudsnap/cloudsnap-api.ts';
import { manifestKey, tombstoneKey } from '../../src/cloudsnap/object-keys.ts';
import { encodeTombstone } from '../../src/cloudsnap/tombstone.ts';
import type { FaultRequest } from '../../src/store/layers/faults.ts';
import { CloudsnapLab, ModelImage, contentOf, differingBlocks } from './cloudsnap-lab.ts';

interface Point {
  readonly entry: CloudsnapEntry;
  readonly bytes: Uint8Array;
}

/** Fulls and incrementals of one volume, as `kinds` says: `F` or `i`. */
async function takePoints(lab: CloudsnapLab, kinds: string): Promise<Point[]> {
  const image = new ModelImage(300);
  const points: Point[] = [];
  for (const [i, kind] of kinds.split('').entries()) {
    image.change(seededRandom(i), 80);
    const parent = kind === 'F' ? null : points.at(-1)!.entry;
    points.push({ entry: await lab.backUp(image, parent), bytes: image.bytes.slice() });
  }
  return points;
}

const idOf = (entry: CloudsnapEntry) => entry.manifest.cloudsnapId;
const prefixOf = (entry: CloudsnapEntry) => `${idOf(entry).split('/')[1]}/`;

async function visibleIds(lab: CloudsnapLab): Promise<string[]> {
  return (await (await lab.another()).list({})).map(idOf);
}

async function checkContents(lab: CloudsnapLab, points: readonly Point[]): Promise<number[]> {
  const repository = await lab.another();
  const contents = points.map(async ({ entry, bytes }) =>
    differingBlocks(await contentOf(repository, entry), bytes),
  );
  return (await Promise.all(contents)).flat();
}

test('what later incrementals need is not deleted, and the error lists them', async (t) => {
  const lab = await CloudsnapLab.open();
  const points = await takePoints(lab, 'FiiF');
  const [full, first, second] = points.map(({ entry }) => entry);
  t.deepEqual(await lab.repository.dependants(full!), [first!, second!]);
  const before = await lab.keys();
  const error = await t.throwsAsync(lab.repository.delete(full!), {
    code: 'cloudsnap/has-dependants',
  });
  t.deepEqual((error as CloudvolError).details, { dependants: [idOf(first!), idOf(second!)] });
  t.true(error.message.includes(idOf(second!)));
  t.deepEqual(await lab.keys(), before);
});

test('deleting removes one cloudsnap and nothing else', async (t) => {
  const lab = await CloudsnapLab.open();
  const points = await takePoints(lab, 'FiFi');
  const other = await takePoints(lab, 'Fi');
  const before = await lab.keys();
  const { entry } = points[1]!;
  await lab.repository.delete(entry);
  const manifest = `/manifests/${entry.manifest.volume.id}/0000000002`;
  const isOthers = (key: string) => !key.includes(prefixOf(entry)) && !key.endsWith(manifest);
  t.deepEqual(await lab.keys(), before.filter(isOthers));
  await t.throwsAsync(lab.repository.find(idOf(entry)), { code: 'cloudsnap/not-found' });
  const left = [points[0]!, points[2]!, points[3]!, ...other];
  t.deepEqual(await checkContents(lab, left), []);
});

test('a chain is deleted from its end, and its last number leaves a tombstone', async (t) => {
  const lab = await CloudsnapLab.open();
  const points = await takePoints(lab, 'Fii');
  for (const { entry } of points.toReversed()) await lab.repository.delete(entry);
  t.deepEqual(await lab.repository.list({}), []);
  const names = (await lab.keys()).map((key) => key.split('/').at(-1));
  t.deepEqual(names, ['0000000003.deleted']);
});

test('a sequence number never comes back', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(10);
  const first = await lab.backUp(image, null);
  await lab.repository.delete(first);
  const second = await lab.backUp(image, null);
  t.is(second.manifest.sequence, 2);
  await lab.repository.delete(second);
  t.is((await lab.backUp(image, null)).manifest.sequence, 3);
  t.false((await lab.keys()).some((key) => key.endsWith('0000000001.deleted')));
});

for (const kind of ['error', 'lost-answer'] as const) {
  test(`a deletion broken off (${kind}) anywhere is not begun, or finished later`, async (t) => {
    for (let nth = 1; nth < 60; nth++) {
      const lab = await CloudsnapLab.open();
      const points = await takePoints(lab, 'FiiF');
      const [, , last, full] = points;
      let count = 0;
      let broke = false;
      lab.faults = () => {
        broke ||= ++count === nth;
        return { kind: count === nth ? kind : 'none' };
      };
      const outcome = await lab.repository.delete(last!.entry).catch((error: unknown) => error);
      lab.faults = () => ({ kind: 'none' });
      const visible = await visibleIds(lab);
      const others = [points[0]!, points[1]!, full!];
      if (visible.includes(idOf(last!.entry))) {
        t.true(outcome instanceof CloudvolError);
        t.deepEqual(await checkContents(lab, points), [], `request ${nth}`);
      } else {
        t.deepEqual(await checkContents(lab, others), [], `request ${nth}`);
        // Another deletion of the same volume finishes this one.
        await (await lab.another()).delete(full!.entry);
        t.deepEqual(await lab.keys(prefixOf(last!.entry)), [], `request ${nth}`);
        t.deepEqual(
          await visibleIds(lab),
          others.slice(0, 2).map(({ entry }) => idOf(entry)),
        );
      }
      if (broke) continue;
      t.true(nth > 8, `${nth} requests`);
      return;
    }
    t.fail('more requests than a deletion makes');
  });
}

test('an empty listing deletes nothing', async (t) => {
  const lab = await CloudsnapLab.open();
  const [{ entry }] = (await takePoints(lab, 'F')) as [Point];
  // A store that lies: it shows nothing below the cloudsnap's prefix.
  const { store } = lab;
  const honest = store.list.bind(store);
  store.list = async function* (prefix, options) {
    if (!prefix.endsWith(prefixOf(entry))) yield* honest(prefix, options);
  };
  await t.throwsAsync(lab.repository.delete(entry), { code: 'cloudsnap/listing-empty' });
  const names = (await lab.keys(prefixOf(entry))).length;
  t.true(names >= 3, `${names} objects are still there`);
});

test('a tombstone that names another cloudsnap deletes nothing', async (t) => {
  const lines: string[] = [];
  const lab = await CloudsnapLab.open({ log: createLog((line) => lines.push(line)) });
  const points = await takePoints(lab, 'FFF');
  const [, second, third] = points.map(({ entry }) => entry);
  const keys = await lab.keys();
  const manifests = keys.filter((key) => key.includes('/manifests/'));
  const tombstone = { cloudsnapId: idOf(second!), deletedMs: 1, formatVersion: 1 };
  await lab.disk.put(`${manifests[0]}.deleted`, Buffer.from(JSON.stringify(tombstone)));
  await lab.repository.delete(third!);
  t.true(lines.some((line) => line.includes('cloudsnap.deletion-unfinished')));
  t.deepEqual(await checkContents(lab, points.slice(0, 2)), []);
  t.deepEqual(await visibleIds(lab), [idOf(second!)]);
});

test('nobody decides over an unreadable manifest whether it is a dependant', async (t) => {
  const lab = await CloudsnapLab.open();
  const points = await takePoints(lab, 'FiF');
  const manifests = (await lab.keys()).filter((key) => key.includes('/manifests/'));
  await lab.alter(manifests[1]!, (body) => body.subarray(0, 100));
  const repository = await lab.another();
  await t.throwsAsync(repository.delete(points[0]!.entry), { code: 'cloudsnap/corrupt' });
  t.deepEqual(await checkContents(lab, [points[0]!, points[2]!]), []);
});

test('a parent that is deleted while its child is made: one of the two draws back', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(50);
  image.change(seededRandom(1), 50);
  const first = await lab.backUp(image, null);
  for (const deleteAt of ['manifest', 'tombstone'] as const) {
    const parent = deleteAt === 'manifest' ? first : await lab.backUp(image, null);
    image.change(seededRandom(2), 10);
    let deletion: Promise<unknown> = Promise.resolve();
    const deleter = await lab.another();
    const isMoment = ({ verb, key }: FaultRequest) =>
      deleteAt === 'manifest'
        ? verb === 'put' && /manifests\/.*[0-9]$/.test(key)
        : verb === 'head' && key.endsWith('.deleted');
    let begun = false;
    lab.faults = (request) => {
      if (!begun && isMoment(request)) {
        begun = true;
        deletion = deleter.delete(parent).catch((error: unknown) => error);
      }
      return { kind: 'none' };
    };
    const child = await lab.upload(image, parent, image.dirty).catch((error: unknown) => error);
    const deleted = await deletion;
    t.true(begun);
    t.true(child instanceof CloudvolError || deleted instanceof CloudvolError);
    lab.faults = () => ({ kind: 'none' });
    const repository = await lab.another();
    for (const entry of await repository.list({})) {
      await t.notThrowsAsync(contentOf(repository, entry), `${idOf(entry)} is whole`);
    }
  }
});

/** What a deletion leaves that is killed right after its tombstone. */
async function entomb(lab: CloudsnapLab, { manifest }: CloudsnapEntry): Promise<void> {
  const { cloudsnapId, clusterId, sequence, volume } = manifest;
  const key = tombstoneKey(manifestKey(clusterId, volume.id, sequence));
  await lab.disk.put(key, encodeTombstone(cloudsnapId, 1));
}

test('a deletion that was killed before it saw a new child is undone by the next', async (t) => {
  const lab = await CloudsnapLab.open();
  const points = await takePoints(lab, 'FiF');
  const [parent, child, other] = points.map(({ entry }) => entry);
  await entomb(lab, parent!);
  t.deepEqual(await visibleIds(lab), [idOf(other!)], 'a child is not there without its parent');
  await t.throwsAsync(lab.repository.find(idOf(child!)), { code: 'cloudsnap/not-found' });
  await lab.repository.delete(other!);
  t.deepEqual(await visibleIds(lab), [idOf(parent!), idOf(child!)]);
  t.deepEqual(await checkContents(lab, points.slice(0, 2)), []);
});

test('once the root is gone a deletion is finished, whatever names it as its parent', async (t) => {
  const lab = await CloudsnapLab.open();
  const points = await takePoints(lab, 'FiF');
  const [parent, , other] = points.map(({ entry }) => entry);
  await entomb(lab, parent!);
  await lab.disk.delete([`${idOf(parent!)}/root`]);
  await lab.repository.delete(other!);
  t.deepEqual(await visibleIds(lab), []);
  t.deepEqual(await lab.keys(prefixOf(parent!)), []);
});

for (const kind of ['none', 'error'] as const) {
  test(`a child put after its parent has gone is not there (look: ${kind})`, async (t) => {
    const lab = await CloudsnapLab.open();
    const image = new ModelImage(20);
    image.change(seededRandom(1), 20);
    const grandparent = await lab.backUp(image, null);
    const parent = await lab.backUp(image, grandparent);
    image.change(seededRandom(2), 20);
    lab.faults = ({ verb, key }) => {
      if (verb === 'put' && key.endsWith('/0000000003')) return { kind: 'none', latencyMs: 10 };
      return { kind: verb === 'head' && key.endsWith('2.deleted') ? kind : 'none' };
    };
    const upload = lab.upload(image, parent, image.dirty).catch((error: unknown) => error);
    await lab.clock.untilSleeping();
    const { faults } = lab;
    lab.faults = () => ({ kind: 'none' });
    await (await lab.another()).delete(parent);
    lab.faults = faults;
    await lab.clock.advance(10);
    const code = kind === 'none' ? 'cloudsnap/parent-missing' : 'store/unavailable';
    t.true(hasCode(await upload, code));
    lab.faults = () => ({ kind: 'none' });
    t.deepEqual(await visibleIds(lab), [idOf(grandparent)]);
    const next = await lab.backUp(image, null);
    t.is(next.manifest.sequence, 4);
    t.deepEqual(await visibleIds(lab), [idOf(grandparent), idOf(next)]);
  });
}
