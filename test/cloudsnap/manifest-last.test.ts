import test from 'ava';
import { CloudvolError, hasCode } from '../../src/base/errors.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import type { CloudsnapEntry } from '../../src/cloudsnap/cloudsnap-api.ts';
import { openRepository } from '../../src/cloudsnap/repository.ts';
import { RetryStore } from '../../src/store/layers/retry.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { instantClock } from '../model/instant-clock.ts';
import { BLOCK, CloudsnapLab, ModelImage, contentOf, differingBlocks } from './cloudsnap-lab.ts';

/** More than any upload of these tests makes: the first round without a fault ends the loop. */
const MOST_REQUESTS = 60;

for (const kind of ['error', 'lost-answer'] as const) {
  test(`manifest-last: a fault (${kind}) anywhere leaves all visible or nothing`, async (t) => {
    const lab = await CloudsnapLab.open();
    const image = new ModelImage(600);
    image.change(seededRandom(1), 400);
    const full = await lab.backUp(image, null);
    const fullBytes = image.bytes.slice();
    image.change(seededRandom(2), 100);
    const visible = [{ entry: full, bytes: fullBytes }];
    let failures = 0;
    for (let nth = 1; nth <= MOST_REQUESTS; nth++) {
      image.write(nth, seededRandom(1000 + nth).bytes(BLOCK));
      const parent: CloudsnapEntry = visible.at(-1)!.entry;
      const { clean, committed } = await uploadWithFault(lab, image, parent, kind, nth);
      if (!committed) failures++;
      const found = await (await lab.another()).list({ volumeId: image.id });
      if (found.length > visible.length) {
        visible.push({ entry: found.at(-1)!, bytes: image.bytes.slice() });
        image.dirty.clear();
      }
      t.is(found.length, visible.length);
      if (committed) t.deepEqual(found.at(-1), committed, 'a commit that resolved is visible');
      if (clean) break;
    }
    t.true(failures > 5, `${failures} uploads failed`);
    lab.faults = () => ({ kind: 'none' });
    for (const { entry, bytes } of visible) {
      t.deepEqual(differingBlocks(await contentOf(await lab.another(), entry), bytes), []);
    }
  });
}

async function uploadWithFault(
  lab: CloudsnapLab,
  image: ModelImage,
  parent: CloudsnapEntry,
  kind: 'error' | 'lost-answer',
  nth: number,
): Promise<{ clean: boolean; committed: CloudsnapEntry | undefined }> {
  let count = 0;
  let clean = true;
  lab.faults = () => {
    count++;
    if (count !== nth) return { kind: 'none' };
    clean = false;
    return { kind };
  };
  try {
    return { committed: await lab.upload(image, parent, image.dirty), clean };
  } catch (error) {
    if (!(error instanceof CloudvolError)) throw error;
    return { committed: undefined, clean };
  } finally {
    lab.faults = () => ({ kind: 'none' });
  }
}

test('an aborted upload leaves nothing behind', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(600);
  image.change(seededRandom(5), 600);
  const writer = await lab.repository.begin(
    lab.plan(image, null, Array(600).keys()),
    new AbortController().signal,
  );
  await writer.writeBlocks(0, image.bytes);
  await writer.abort();
  t.deepEqual(await lab.keys(), []);
  await t.throwsAsync(writer.commit(), { name: 'AssertionError' });
});

test('a stop ends the uploads that are under way, with its reason', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(20, 1 << 20);
  image.change(seededRandom(6), 40);
  for (let block = 0; block < 20; block++) image.write(block, seededRandom(block).bytes(1 << 20));
  const stop = new AbortController();
  const reason = new CloudvolError('task/stopped', 'the task was stopped');
  lab.faults = ({ verb, key }) => {
    if (verb !== 'put' || !key.includes('/pack-')) return { kind: 'none' };
    queueMicrotask(() => stop.abort(reason));
    return { kind: 'hang' };
  };
  const writer = await lab.repository.begin(lab.plan(image, null, Array(20).keys()), stop.signal);
  const work = async () => {
    await writer.writeBlocks(0, image.bytes);
    await writer.commit();
  };
  t.is(await t.throwsAsync(work()), reason);
  await writer.abort();
  t.deepEqual(await lab.keys(), []);
});

test('a cloudsnap that lacks a planned block is not committed', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(10);
  const writer = await lab.repository.begin(
    lab.plan(image, null, [1, 2, 3]),
    new AbortController().signal,
  );
  await writer.writeBlocks(1, image.bytes.subarray(0, 2 * BLOCK));
  await t.throwsAsync(writer.commit(), { code: 'cloudsnap/incomplete' });
  await writer.abort();
  t.deepEqual(await lab.repository.list({}), []);
});

test('of two writers that reach for one sequence number exactly one commits', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(10);
  const { signal } = new AbortController();
  const plan = lab.plan(image, null, []);
  const writers = await Promise.all([
    lab.repository.begin(plan, signal),
    lab.repository.begin(plan, signal),
  ]);
  const outcomes = await Promise.allSettled(writers.map((writer) => writer.commit()));
  const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
  t.deepEqual(
    failed.map(({ reason }) => (reason as CloudvolError).code),
    ['cloudsnap/lost-race'],
  );
  for (const writer of writers) await writer.abort();
  const [entry, ...others] = await lab.repository.list({});
  t.is(others.length, 0);
  t.deepEqual(differingBlocks(await contentOf(lab.repository, entry!), image.bytes), []);
});

test('on a store without conditional puts a number that is taken is seen, too', async (t) => {
  const disk = new MemoryStore({ capabilities: { conditionalPut: false } });
  const lab = await CloudsnapLab.open({ disk });
  const image = new ModelImage(10);
  image.change(seededRandom(9), 10);
  const { signal } = new AbortController();
  const late = await lab.repository.begin(lab.plan(image, null, []), signal);
  const entry = await lab.backUp(image, null);
  await t.throwsAsync(late.commit(), { code: 'cloudsnap/lost-race' });
  await late.abort();
  t.deepEqual(differingBlocks(await contentOf(lab.repository, entry), image.bytes), []);
});

test('the objects of a manifest that may have been put are left alone', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(10);
  image.change(seededRandom(10), 10);
  // The put arrives, its answer does not, and nobody can be asked.
  lab.faults = ({ verb, key }) => {
    const isManifest = key.includes('/manifests/') && verb !== 'list';
    if (!isManifest) return { kind: 'none' };
    return { kind: verb === 'put' ? 'lost-answer' : 'error' };
  };
  await t.throwsAsync(lab.upload(image, null, Array(10).keys()), { code: 'store/unavailable' });
  lab.faults = () => ({ kind: 'none' });
  const [entry] = await (await lab.another()).list({});
  t.deepEqual(differingBlocks(await contentOf(lab.repository, entry!), image.bytes), []);
});

test('a plan whose manifest nobody could read is refused before any upload', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(10);
  const plan = lab.plan(image, null, []);
  const labels = Object.fromEntries(
    Array.from({ length: 64 }, (_, i) => [`${i}`, '"'.repeat(255)]),
  );
  const keys = Object.fromEntries(
    Object.entries(labels).map(([key, value]) => [`${'\u0001'.repeat(250)}${key}`, value]),
  );
  const tooLong = { ...plan, volume: { ...plan.volume, labels: keys } };
  const { signal } = new AbortController();
  await t.throwsAsync(lab.repository.begin(tooLong, signal), { code: 'format/too-large' });
  const badName = { ...plan, volume: { ...plan.volume, name: '../etc/passwd' } };
  await t.throwsAsync(lab.repository.begin(badName, signal), { code: 'format/corrupt' });
  t.deepEqual(await lab.keys(), []);
});

/** Every way in which the look after a put without an answer can go wrong. */
for (const look of ['error', 'garble', 'truncate'] as const) {
  test(`what arrived stays whole when its answer and the look are lost (${look})`, async (t) => {
    const lab = await CloudsnapLab.open();
    const image = new ModelImage(10);
    image.change(seededRandom(11), 10);
    let puts = 0;
    lab.faults = ({ verb, key }) => {
      if (!/\/manifests\/.*[0-9]$/.test(key)) return { kind: 'none' };
      if (verb === 'put') return { kind: ++puts === 1 ? 'lost-answer' : 'none' };
      return { kind: verb === 'get' ? look : 'none' };
    };
    // Tries again, so that the put of what is there already ends with store/exists.
    const store = new RetryStore(lab.store, {
      clock: instantClock(),
      random: () => 0,
      policy: { maxAttempts: 3, baseDelayMs: 1, maxDelayMs: 1 },
    });
    const { clusterId, log, clock } = lab;
    const repository = await openRepository({ store, clusterId, log, clock });
    const blocks = Array(10).keys();
    const outcome = await lab
      .upload(image, null, blocks, repository)
      .catch((error: unknown) => error);
    t.true(outcome instanceof CloudvolError, 'nobody can say whose manifest that is');
    t.false(hasCode(outcome, 'cloudsnap/lost-race'), 'and so nobody says that it is another one');
    t.is(puts, 2);
    lab.faults = () => ({ kind: 'none' });
    const [entry] = await (await lab.another()).list({});
    t.deepEqual(differingBlocks(await contentOf(lab.repository, entry!), image.bytes), []);
  });
}
