import test, { type ExecutionContext } from 'ava';
import { CloudvolError, hasCode } from '../../src/base/errors.ts';
import { newClusterId, type VolumeId } from '../../src/base/ids.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import {
  MAX_ABORTED_BYTES,
  decodeAborted,
  encodeAborted,
} from '../../src/cloudsnap/aborted-record.ts';
import type { CloudsnapEntry, CloudsnapRepository } from '../../src/cloudsnap/cloudsnap-api.ts';
import { EncryptedRoot } from '../../src/cloudsnap/encrypted-root.ts';
import { manifestKey } from '../../src/cloudsnap/object-keys.ts';
import { LEASE_MS } from '../../src/cloudsnap/ownership.ts';
import { KeyTree } from '../../src/crypto/key-tree.ts';
import { MAX_SEQUENCE } from '../../src/format/cloudsnap-id.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { instantClock } from '../model/instant-clock.ts';
import { CloudsnapLab, ModelImage, contentOf, differingBlocks } from './cloudsnap-lab.ts';
import { PausingStore } from './pausing-store.ts';

const never = new AbortController().signal;
/** More requests than a backup or a deletion of a small volume makes. */
const ENOUGH = 60;

function changedImage(seed: number): ModelImage {
  const image = new ModelImage(40);
  image.change(seededRandom(seed), 30);
  return image;
}

async function owners(lab: CloudsnapLab): Promise<string[]> {
  const names: string[] = [];
  for await (const { key } of lab.disk.list(`${lab.clusterId}/owner/`)) {
    names.push(key.split('/').slice(3).join('/'));
  }
  return names;
}

/** Two hosts on one store. The first can be put to sleep; for the second waiting takes no time. */
async function twoHosts(options: { disk?: MemoryStore } = {}) {
  const lab = await CloudsnapLab.open(options);
  const way = new PausingStore(lab.store);
  const first = await lab.another({ hostId: 'first', store: way, clock: instantClock() });
  const second = await lab.another({ hostId: 'second', clock: instantClock() });
  return { lab, way, first, second };
}

/** Every visible cloudsnap is what the image held when it was taken. */
async function requireRight(
  t: ExecutionContext,
  repository: CloudsnapRepository,
  images: ReadonlyMap<string, Uint8Array>,
  when: string,
): Promise<string[]> {
  const visible = await repository.list({});
  for (const entry of visible) {
    const { cloudsnapId } = entry.manifest;
    const image = images.get(cloudsnapId);
    t.truthy(image, `${cloudsnapId} was to be visible (${when})`);
    if (image) t.deepEqual(differingBlocks(await contentOf(repository, entry), image), [], when);
  }
  return visible.map(({ manifest }) => manifest.cloudsnapId);
}

test('the first backup of a process takes the next generation and ends the last', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = changedImage(1);
  const full = await lab.backUp(image, null);
  t.deepEqual(await owners(lab), ['0000000001']);
  await lab.backUp(image, full);
  t.deepEqual(await owners(lab), ['0000000001']);
  // The next process of the same host: it waits for nobody.
  await (await lab.another()).own(image.id, {}, never);
  t.deepEqual(await owners(lab), ['0000000002']);
});

test('a process whose successor has begun does not publish any more', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = changedImage(1);
  const writer = await lab.repository.begin(lab.plan(image, null, []), never);
  await (await lab.another()).own(image.id, {}, never);
  await t.throwsAsync(writer.commit(), { code: 'cloudsnap/not-owner' });
  await writer.abort();
  t.deepEqual(await lab.repository.list({}), []);
});

test('another host takes over when a whole lease has passed without a sign of life', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = changedImage(1);
  await lab.backUp(image, null);
  const clock = new ManualClock();
  const other = await lab.another({ hostId: 'other', clock });
  const sentences: string[] = [];
  const onWait = (sentence: string) => sentences.push(sentence);
  let owns = false;
  const taking = other.own(image.id, { onWait }, never).then(() => (owns = true));
  await clock.untilSleeping();
  await clock.advance(LEASE_MS - 1);
  t.false(owns);
  await clock.advance(1);
  await taking;
  t.deepEqual(await owners(lab), ['0000000002']);
  t.is(sentences.length, 1);
  t.regex(sentences[0]!, /300 s/);
});

test('a host at work gives signs of life and keeps the volume as long as it takes', async (t) => {
  const disk = new MemoryStore({ clock: instantClock() });
  const lab = await CloudsnapLab.open({ disk });
  const image = changedImage(1);
  const writer = await lab.repository.begin(lab.plan(image, null, [...Array(40).keys()]), never);
  const clock = new ManualClock();
  const stop = new AbortController();
  const other = await lab.another({ hostId: 'other', clock });
  const taking = other.own(image.id, {}, stop.signal).catch((error: unknown) => error);
  for (let block = 0; block < 40; block++) {
    await clock.untilSleeping();
    await lab.clock.advance(LEASE_MS / 2);
    await writer.writeBlocks(block, image.block(block));
    await clock.advance(LEASE_MS);
  }
  const entry = await writer.commit();
  stop.abort(new CloudvolError('task/stopped', 'stopped'));
  t.true(hasCode(await taking, 'task/stopped'));
  t.deepEqual(await lab.repository.list({}), [entry]);
});

test('who asks for it takes a volume over at once; the host before cannot publish', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = changedImage(1);
  const writer = await lab.repository.begin(lab.plan(image, null, []), never);
  const clock = new ManualClock();
  await (await lab.another({ hostId: 'other', clock })).own(image.id, { takeover: true }, never);
  await t.throwsAsync(writer.commit(), { code: 'cloudsnap/not-owner' });
  await writer.abort();
  // The number that it reached for is given up: taken, and nothing.
  const keys = await lab.keys();
  t.deepEqual(
    keys.map((key) => key.split('/').at(-1)),
    ['0000000001'],
  );
  t.deepEqual(await lab.repository.list({}), []);
});

test('an encrypted repository tells nobody its owners or numbers given up', async (t) => {
  const lab = await CloudsnapLab.open({ passphrase: 'correct horse' });
  const image = changedImage(1);
  const writer = await lab.repository.begin(lab.plan(image, null, []), never);
  const other = await lab.another({ hostId: 'the-other-host', clock: instantClock() });
  await other.own(image.id, { takeover: true }, never);
  await t.throwsAsync(writer.commit(), { code: 'cloudsnap/not-owner' });
  await writer.abort();
  for await (const { key } of lab.disk.list('')) {
    t.false(Buffer.from(await lab.disk.get(key)).includes('the-other-host'), key);
  }
  const entry = await lab.upload(image, null, image.dirty, other);
  t.is(entry.manifest.sequence, 2);
  t.deepEqual(await (await lab.another()).list({}), [entry]);
  // A marker that was lost is found again by what lies at the first number.
  await lab.disk.delete([`clusters/${lab.clusterId}`]);
  const fresh = await lab.another({ hostId: 'the-other-host' });
  const next = await lab.upload(image, null, image.dirty, fresh);
  t.is(next.manifest.masterKeyId, entry.manifest.masterKeyId);
});

test('no record that gives a number up is longer than the shortest that is looked for', (t) => {
  const place = {
    clusterId: newClusterId(),
    volumeId: String(2n ** 63n - 1n) as VolumeId,
    sequence: MAX_SEQUENCE,
  };
  const end = { generation: Number.MAX_SAFE_INTEGER, abortedMs: Number.MAX_SAFE_INTEGER };
  const key = manifestKey(place.clusterId, place.volumeId, place.sequence);
  const root = new EncryptedRoot('ab'.repeat(16), new KeyTree(new Uint8Array(32)));
  for (const sealing of [undefined, root.sealing(key)]) {
    const bytes = encodeAborted(place, end, sealing);
    t.true(bytes.length <= MAX_ABORTED_BYTES, `${bytes.length}`);
    t.notThrows(() => decodeAborted(bytes, place, sealing));
    const elsewhere = { ...place, sequence: 1 };
    t.throws(() => decodeAborted(bytes, elsewhere, sealing), { code: 'format/corrupt' });
  }
});

test('without conditional puts a second host is refused, unless it is told', async (t) => {
  const disk = new MemoryStore({ capabilities: { conditionalPut: false } });
  const { lab, first, second } = await twoHosts({ disk });
  const image = changedImage(1);
  const full = await lab.upload(image, null, image.dirty, first);
  const error = await t.throwsAsync(second.own(image.id, {}, never), {
    code: 'cloudsnap/other-host',
  });
  t.regex((error as CloudvolError).hint ?? '', /--takeover/);
  await t.throwsAsync(second.delete(full), { code: 'cloudsnap/other-host' });
  await second.own(image.id, { takeover: true }, never);
  await lab.upload(image, null, image.dirty, second);
  await t.throwsAsync(first.delete(full), { code: 'cloudsnap/other-host' });
  t.is((await second.list({})).length, 2);
});

test('a host cut off while it took over gives the number up when it starts again', async (t) => {
  for (let nth = 1; nth < ENOUGH; nth++) {
    const { lab, way, first, second } = await twoHosts();
    const image = changedImage(1);
    const sleeper = await second.begin(lab.plan(image, null, []), never);
    const asleep = way.pauseAt(nth);
    const taking = first.own(image.id, {}, never).then(() => 'done');
    const at = await Promise.race([asleep, taking]);
    // It never wakes: its next process goes on.
    const next = await lab.another({ hostId: 'first', clock: instantClock() });
    await next.own(image.id, {}, never);
    await t.throwsAsync(sleeper.commit(), undefined, `cut off at ${at}`);
    await sleeper.abort();
    const entry = await lab.upload(image, null, image.dirty, next);
    t.deepEqual(await next.list({}), [entry], `cut off at ${at}`);
    if (at !== 'done') continue;
    t.true(nth > 6, `${nth} requests`);
    return;
  }
  t.fail('more requests than taking over makes');
});

test('one-writer-per-volume: a host that sleeps and is overtaken never publishes', async (t) => {
  for (let nth = 1; nth < ENOUGH; nth++) {
    const { lab, way, first, second } = await twoHosts();
    const images = new Map<string, Uint8Array>();
    const note = (entry: CloudsnapEntry) => {
      images.set(entry.manifest.cloudsnapId, image.bytes.slice());
      return entry;
    };
    const image = changedImage(1);
    const full = note(await lab.upload(image, null, image.dirty, first));
    image.dirty.clear();
    image.change(seededRandom(nth), 10);
    const slept = image.bytes.slice();
    const asleep = way.pauseAt(nth);
    const backup = lab
      .upload(image, full, image.dirty, first)
      .then((entry) => entry.manifest.cloudsnapId)
      .catch((error: unknown) => error);
    const at = await Promise.race([asleep, backup.then(() => 'done')]);
    await second.own(image.id, {}, never);
    const before = (await second.list({})).map(({ manifest }) => manifest.cloudsnapId);
    if (before.length > 1) images.set(before[1]!, slept);
    image.change(seededRandom(1000 + nth), 10);
    note(await lab.upload(image, null, Array(40).keys(), second));
    way.wake();
    const outcome = await backup;
    t.is(typeof outcome === 'string', before.length > 1, `asleep at ${at}: ${String(outcome)}`);
    const visible = await requireRight(t, second, images, `asleep at ${at}`);
    t.is(visible.length, images.size, `asleep at ${at}`);
    if (at !== 'done') continue;
    t.true(nth > 10, `${nth} requests`);
    return;
  }
  t.fail('more requests than a backup makes');
});

test('a host that sleeps in a deletion and is overtaken destroys nothing else', async (t) => {
  for (let nth = 1; nth < ENOUGH; nth++) {
    const { lab, way, first, second } = await twoHosts();
    const images = new Map<string, Uint8Array>();
    const image = changedImage(1);
    let last: CloudsnapEntry | null = null;
    for (const seed of [1, 2]) {
      image.change(seededRandom(seed), 10);
      const blocks: Iterable<number> = last ? image.dirty : Array(40).keys();
      last = await lab.upload(image, last, blocks, first);
      image.dirty.clear();
      images.set(last.manifest.cloudsnapId, image.bytes.slice());
    }
    const doomed = last!;
    const asleep = way.pauseAt(nth);
    const deletion = first.delete(doomed).catch((error: unknown) => error);
    const at = await Promise.race([asleep, deletion.then(() => 'done')]);
    await second.own(image.id, {}, never);
    const parent = (await second.list({})).at(-1)!;
    // Also on what the sleeper means to delete, as long as it is there.
    image.change(seededRandom(nth), 5);
    const blocks = Array(40).keys();
    const child = await lab.upload(image, parent, blocks, second);
    images.set(child.manifest.cloudsnapId, image.bytes.slice());
    way.wake();
    await deletion;
    // What a sleeper has marked too late is taken back by the next deletion.
    await second.finishDeletions({ clusterId: lab.clusterId, volumeId: image.id }, never);
    const visible = await requireRight(t, second, images, `asleep at ${at}`);
    t.true(visible.includes(child.manifest.cloudsnapId), `asleep at ${at}`);
    if (at !== 'done') continue;
    t.true(nth > 10, `${nth} requests`);
    return;
  }
  t.fail('more requests than a deletion makes');
});
