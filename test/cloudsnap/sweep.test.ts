import test from 'ava';
import { newClusterId } from '../../src/base/ids.ts';
import { manifestKey } from '../../src/cloudsnap/object-keys.ts';
import { surveyRoot } from '../../src/cloudsnap/sweep/survey-root.ts';
import type { ObjectInfo, ObjectStore } from '../../src/store/object-store.ts';
import { instantClock } from '../model/instant-clock.ts';
import {
  DAY_MS,
  Scene,
  abandonUnpublished,
  idOf,
  littered,
  nameOf,
  never,
  outcomes,
  request,
} from './sweep-scene.ts';

test('dead-uploads-go: a sweep removes what nobody needs, and nothing else', async (t) => {
  const { scene, leftovers } = await littered();
  const before = await scene.prefixes();
  const report = await (await scene.process()).sweep(request(), never);
  t.deepEqual(outcomes(report), [
    'dead-upload removed',
    'stray-objects removed',
    'unfinished-deletion removed',
  ]);
  t.true(report.leftovers.every(({ objects, bytes }) => objects > 0 && bytes > 0));
  const gone = new Set(leftovers.map(nameOf));
  t.deepEqual(
    await scene.prefixes(),
    before.filter((name) => !gone.has(name)),
  );
  await scene.requireRight(t);
  const keys = await scene.lab.keys();
  t.false(
    keys.some((key) => key.includes('/sweep-')),
    'its mark is gone',
  );
  const again = await (await scene.process()).sweep(request(), never);
  t.deepEqual(again.leftovers, []);
});

test('a dry run finds the same, and writes nothing', async (t) => {
  const { scene } = await littered();
  const before = await scene.lab.keys();
  const repository = await scene.lab.another({ clock: scene.clock });
  const requests = scene.lab.metrics.snapshot().requests;
  const report = await repository.sweep(request({ dryRun: true }), never);
  t.deepEqual(outcomes(report), [
    'dead-upload found',
    'stray-objects found',
    'unfinished-deletion found',
  ]);
  t.deepEqual(await scene.lab.keys(), before);
  const after = scene.lab.metrics.snapshot().requests;
  t.deepEqual([after.put, after.delete], [requests.put, requests.delete]);
  t.is(after.list - requests.list, 3, 'one of the root, and two of where stores are tried out');
});

test('what is young stays: a day for what is known to be dead, a week for the rest', async (t) => {
  const scene = await Scene.open();
  const doomed = await scene.backUp(null);
  const kept = await scene.backUp(null);
  await abandonUnpublished(scene);
  await scene.strew(77);
  await scene.entomb(doomed);
  const process = await scene.process();
  const sweep = async () => outcomes(await process.sweep(request(), never));
  t.deepEqual(await sweep(), []);
  await scene.clock.advance(DAY_MS - 1);
  t.deepEqual(await sweep(), []);
  await scene.clock.advance(1);
  // The upload was begun by the process that is this one's predecessor only once this one is owner.
  t.deepEqual(await sweep(), ['unfinished-deletion removed']);
  t.deepEqual(await sweep(), ['dead-upload removed']);
  await scene.clock.advance(6 * DAY_MS - 1);
  t.deepEqual(await sweep(), []);
  await scene.clock.advance(1);
  t.deepEqual(await sweep(), ['stray-objects removed']);
  await scene.requireRight(t);
  t.deepEqual(await scene.prefixes(), [nameOf(idOf(kept))]);
});

test('an upload that is under way, or may go on, is left alone however old', async (t) => {
  const scene = await Scene.open();
  const process = await scene.process();
  const resumable = await abandonUnpublished(scene);
  const plan = scene.lab.plan(scene.image, null, []);
  const writer = await process.begin(plan, never);
  await scene.clock.advance(30 * DAY_MS);
  const keep = new Set([nameOf(resumable)]);
  t.deepEqual((await process.sweep(request({ keep }), never)).leftovers, []);
  const entry = await writer.commit();
  t.deepEqual((await process.list({})).map(idOf), [idOf(entry)]);
  t.deepEqual((await scene.prefixes()).length, 2);
});

test('what a host reads from stays until its pin is a week old', async (t) => {
  const scene = await Scene.open();
  const doomed = await scene.backUp(null);
  const last = await scene.backUp(null);
  await scene.clock.advance(DAY_MS);
  const pin = `${scene.lab.clusterId}/pins/${nameOf(idOf(doomed))}/host-1`;
  const { repository } = scene.lab;
  const place = { clusterId: scene.lab.clusterId, volumeId: scene.image.id };
  await repository.mark(doomed, {}, never);
  await scene.lab.disk.put(pin, Buffer.from('pin'));
  t.is(await repository.finishDeletions(place, never), 1, 'one is left to be tried again');
  scene.images.delete(idOf(doomed));
  await scene.requireRight(t);
  t.is((await scene.prefixes()).length, 2, 'it is marked, and its objects are there');
  const process = await scene.process();
  await scene.clock.advance(7 * DAY_MS - 1);
  const [kept] = (await process.sweep(request(), never)).leftovers;
  t.is(kept?.outcome, 'kept');
  t.is(kept?.note, 'a host still reads from it');
  await scene.clock.advance(1);
  t.deepEqual(outcomes(await process.sweep(request(), never)), ['unfinished-deletion removed']);
  t.deepEqual(await scene.prefixes(), [nameOf(idOf(last))]);
});

test('a cloudsnap that a host reads from is not deleted, nor is one that it needs', async (t) => {
  const scene = await Scene.open();
  const { repository, clusterId, disk, clock } = scene.lab;
  const full = await scene.backUp(null);
  const child = await scene.backUp(full);
  await scene.backUp(null);
  const pin = `${clusterId}/pins/${nameOf(idOf(child))}/host-1`;
  await clock.advance(scene.clock.nowMs() - clock.nowMs());
  await disk.put(pin, Buffer.from('pin'));
  await t.throwsAsync(repository.delete(child), { code: 'cloudsnap/in-use' });
  await scene.requireRight(t);
  // It was pinned only after it was marked: what it is laid over is needed by that host, too.
  await disk.delete([pin]);
  await repository.mark(child, {}, never);
  await disk.put(pin, Buffer.from('pin'));
  await repository.mark(full, {}, never);
  const place = { clusterId, volumeId: scene.image.id };
  t.is(await repository.finishDeletions(place, never), 2);
  t.is((await scene.prefixes()).length, 3);
  await disk.delete([pin]);
  t.is(await repository.finishDeletions(place, never), 0);
  t.is((await scene.prefixes()).length, 1);
});

test('what tried out the store and was killed is removed, wherever it lies', async (t) => {
  const scene = await Scene.open();
  const { disk } = scene.lab;
  const keys = ['.cloudvol-probe/1', '.cloudvol-validate/2/object'];
  for (const key of keys) await disk.put(key, new Uint8Array());
  await scene.clock.advance(DAY_MS - 1);
  const process = await scene.process();
  t.is((await process.sweep(request(), never)).trialObjects, 0, 'it may be at work');
  await scene.clock.advance(1);
  t.is((await process.sweep(request({ dryRun: true }), never)).trialObjects, 0, 'by its own clock');
  t.is((await process.sweep(request(), never)).trialObjects, 2);
  for (const key of keys) t.is(await disk.head(key), undefined);
});

test('objects that claim a number which no upload has do not use up the numbers', async (t) => {
  const scene = await Scene.open();
  await scene.backUp(null);
  await scene.strew(9_000_000_000);
  await scene.clock.advance(8 * DAY_MS);
  const [kept] = (await (await scene.process()).sweep(request(), never)).leftovers;
  t.is(kept?.outcome, 'kept');
  const next = await scene.backUp(null, await scene.process());
  t.is(next.manifest.sequence, 2);
});

test('an incremental whose parent was removed is nobody’s, and goes', async (t) => {
  const scene = await Scene.open();
  const full = await scene.backUp(null);
  const last = await scene.backUp(null);
  const doomed = await scene.backUp(last);
  // Its manifest arrives after the process was killed, and its parent deleted.
  const key = manifestKey(scene.lab.clusterId, scene.image.id, doomed.manifest.sequence);
  const manifest = await scene.lab.disk.get(key);
  await scene.lab.disk.delete([key]);
  const process = await scene.process();
  await process.delete(last);
  await scene.lab.disk.put(key, manifest);
  for (const entry of [doomed, last]) scene.images.delete(idOf(entry));
  await scene.requireRight(t);
  await scene.clock.advance(DAY_MS);
  t.deepEqual(outcomes(await process.sweep(request(), never)), ['orphan removed']);
  t.deepEqual(await scene.prefixes(), [nameOf(idOf(full))]);
  await scene.requireRight(t);
});

test('an upload whose volume is gone is discarded at once, a published one never', async (t) => {
  const scene = await Scene.open();
  const full = await scene.backUp(null);
  const dead = await abandonUnpublished(scene);
  const process = await scene.process();
  for (const id of [dead, idOf(full), dead]) await process.discardUpload(nameOf(id), never);
  t.deepEqual(await scene.prefixes(), [nameOf(idOf(full))]);
  await scene.requireRight(t);
});

test('a sweep works in an encrypted repository as in a clear one', async (t) => {
  const scene = await Scene.open('correct horse');
  await scene.backUp(null);
  const doomed = await scene.backUp(null);
  await scene.lab.repository.mark(doomed, {}, never);
  scene.images.delete(idOf(doomed));
  await abandonUnpublished(scene);
  await scene.strew(77);
  await scene.clock.advance(8 * DAY_MS);
  const process = await scene.process();
  t.deepEqual(outcomes(await process.sweep(request(), never)), [
    'dead-upload removed',
    'stray-objects removed',
    'unfinished-deletion removed',
  ]);
  t.is((await scene.prefixes()).length, 1);
  await scene.requireRight(t);
});

test('a survey of a large root holds its cloudsnaps, not its objects', async (t) => {
  const [snaps, objects] = [100, 5000];
  const clusterId = newClusterId();
  let held = 0;
  const store = {
    async *list(): AsyncGenerator<ObjectInfo> {
      for (let snap = 1; snap <= snaps; snap++) {
        for (let object = 0; object < objects; object++) {
          const pack = object.toString(16).padStart(32, '0');
          const key = `${clusterId}/7-${snap}12345678/pack-${pack}`;
          yield { key, sizeBytes: 16 << 20, modifiedMs: 1 };
        }
        held = Math.max(held, process.memoryUsage().heapUsed);
      }
    },
  } as unknown as ObjectStore;
  const before = process.memoryUsage().heapUsed;
  const survey = await surveyRoot(store, clusterId, never);
  t.is(survey.listedObjects, snaps * objects);
  t.is(survey.prefixes.length, snaps);
  t.is(survey.prefixes[0]!.objects, objects);
  // Half a million keys are more than 60 MB.
  t.true(held - before < 40 << 20, `${held - before}`);
});

test('a volume that another host owns is left to that host', async (t) => {
  const { scene } = await littered();
  const other = await scene.lab.another({ hostId: 'other', clock: instantClock() });
  const report = await other.sweep(request(), never);
  t.true(report.leftovers.every(({ outcome, note }) => outcome === 'kept' && note !== undefined));
  t.is(report.leftovers.length, 3);
  await scene.requireRight(t);
  const told = await other.sweep(request({ takeover: true }), never);
  t.true(told.leftovers.every(({ outcome }) => outcome === 'removed'));
  await scene.requireRight(t);
});
