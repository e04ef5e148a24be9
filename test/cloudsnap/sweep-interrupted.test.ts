import test from 'ava';
import { CloudvolError, hasCode } from '../../src/base/errors.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import type { ObjectInfo } from '../../src/store/object-store.ts';
import { instantClock } from '../model/instant-clock.ts';
import { CloudsnapLab, ModelImage } from './cloudsnap-lab.ts';
import { PausingStore } from './pausing-store.ts';
import {
  BLOCKS,
  DAY_MS,
  Scene,
  littered,
  nameOf,
  never,
  outcomes,
  request,
} from './sweep-scene.ts';

/** More requests than a sweep of these few objects makes. */
const ENOUGH = 160;
/** Every third request is tried for each kind of end, the others for the other kinds. */
const ENDS = ['killed', 'lost-answer', 'error'] as const;

test('who sleeps through the sweep of its upload cannot publish any more', async (t) => {
  const scene = await Scene.open();
  await scene.backUp(null);
  const way = new PausingStore(scene.lab.store);
  const sleeper = await scene.process(way);
  scene.image.change(seededRandom(5), 10);
  const blocks = [...scene.image.dirty];
  // open, pack, index, root, … and the put of the manifest, which comes after the last look.
  const asleep = way.pauseAt(
    await requestsUntil(scene, (name) => /^put .*\/manifests\//.test(name)),
  );
  const upload = scene.lab
    .upload(scene.image, null, blocks, sleeper)
    .catch((error: unknown) => error);
  t.regex(await asleep, /^put .*\/manifests\//);
  const next = await scene.process();
  await next.own(scene.image.id, {}, never);
  await scene.clock.advance(DAY_MS);
  t.deepEqual(outcomes(await next.sweep(request(), never)), ['dead-upload removed']);
  way.wake();
  t.true(hasCode(await upload, 'cloudsnap/lost-race'));
  await scene.requireRight(t);
});

/** How many requests an upload of this kind makes up to the one that is meant. */
async function requestsUntil(scene: Scene, isMeant: (name: string) => boolean): Promise<number> {
  for (let nth = 1; nth < ENOUGH; nth++) {
    const twin = await CloudsnapLab.open();
    const image = new ModelImage(BLOCKS);
    await twin.backUp(image, null);
    const way = new PausingStore(twin.store);
    const process = await twin.another({ store: way, clock: instantClock() });
    image.change(seededRandom(5), 10);
    const asleep = way.pauseAt(nth);
    const upload = twin.upload(image, null, [...scene.image.dirty], process);
    const at = await Promise.race([asleep, upload.then(() => '')]);
    way.wake();
    await upload;
    if (isMeant(at)) return nth;
  }
  throw new Error('an upload makes no such request');
}

interface Lie {
  readonly name: string;
  readonly tell: (honest: ObjectInfo[], prefix: string, scene: Scene) => ObjectInfo[];
}

const LIES: readonly Lie[] = [
  { name: 'is empty', tell: () => [] },
  { name: 'ends too early', tell: (honest) => honest.slice(0, Math.floor(honest.length / 2)) },
  { name: 'lacks its last key', tell: (honest) => honest.slice(0, -1) },
  {
    name: 'is older than what was put just before',
    tell: (honest) => honest.filter(({ key }) => !key.includes('/sweep-')),
  },
  {
    name: 'does not show the manifests',
    tell: (honest) => honest.filter(({ key }) => !/\/manifests\/.*[0-9]$/.test(key)),
  },
  {
    name: 'shows manifests first and then no more',
    tell: (honest, prefix) => (prefix.includes('/manifests/') ? [] : honest),
  },
];

for (const { name, tell } of LIES) {
  test(`a listing that ${name} removes nothing that is visible`, async (t) => {
    const { scene } = await littered();
    const { disk } = scene.lab;
    const before = await scene.lab.keys();
    const honest = disk.list.bind(disk);
    disk.list = async function* (prefix, options) {
      const all: ObjectInfo[] = [];
      for await (const info of honest(prefix, options)) all.push(info);
      yield* tell(all, prefix, scene);
    };
    const sweep = (await scene.process()).sweep(request(), never);
    await t.throwsAsync(sweep, { code: 'cloudsnap/listing-stale' });
    disk.list = honest;
    const lost = new Set(before).difference(new Set(await scene.lab.keys()));
    t.deepEqual([...lost], []);
    await scene.requireRight(t);
  });
}

for (const [first, kind] of ENDS.entries()) {
  test(`a sweep that ends (${kind}) at any request is finished by the next one`, async (t) => {
    for (let nth = 1 + first; nth < ENOUGH; nth += ENDS.length) {
      const { scene, leftovers } = await littered();
      let count = 0;
      scene.lab.faults = () => {
        count += 1;
        if (kind === 'killed') return { kind: count >= nth ? 'error' : 'none' };
        return { kind: count === nth ? kind : 'none' };
      };
      const outcome = await (
        await scene.process()
      )
        .sweep(request(), never)
        .catch((e: unknown) => e);
      scene.lab.faults = () => ({ kind: 'none' });
      await scene.requireRight(t, `${kind} at request ${nth}`);
      // The first looks again; the second has what the first could not take: its uploads are older.
      for (const _ of [1, 2]) await (await scene.process()).sweep(request(), never);
      const left = new Set(await scene.prefixes());
      t.deepEqual(
        leftovers.map(nameOf).filter((prefix) => left.has(prefix)),
        [],
        `${kind} at request ${nth}`,
      );
      await scene.requireRight(t, `${kind} at request ${nth}`);
      if (count >= nth) continue;
      t.false(outcome instanceof CloudvolError);
      t.true(nth > 20, `${nth} requests`);
      return;
    }
    t.fail('more requests than a sweep makes');
  });
}

test('a sweeper that sleeps and is overtaken removes nothing that is visible', async (t) => {
  for (let nth = 1; nth < ENOUGH; nth += 2) {
    const { scene } = await littered();
    const way = new PausingStore(scene.lab.store);
    const sleeper = await scene.process(way);
    const asleep = way.pauseAt(nth);
    const sweep = sleeper.sweep(request(), never).catch((error: unknown) => error);
    const at = await Promise.race([asleep, sweep.then(() => 'done')]);
    const other = await scene.lab.another({ hostId: 'other', clock: instantClock() });
    const tip = (await other.list({ volumeId: scene.image.id })).at(-1)!;
    await other.own(scene.image.id, {}, never);
    const child = await scene.backUp(tip, other);
    await scene.backUp(child, other);
    await other.delete((await other.list({})).at(-1)!);
    scene.images.delete([...scene.images.keys()].at(-1)!);
    way.wake();
    await sweep;
    await scene.requireRight(t, `asleep at ${at}`);
    if (at !== 'done') continue;
    t.true(nth > 20, `${nth} requests`);
    return;
  }
  t.fail('more requests than a sweep makes');
});
