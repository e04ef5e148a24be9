import test from 'ava';
import { seededRandom } from '../../src/base/seeded-random.ts';
import type { CloudsnapEntry } from '../../src/cloudsnap/cloudsnap-api.ts';
import { type FaultKind, FaultStore } from '../../src/store/layers/faults.ts';
import { Lab } from '../model/lab.ts';
import { changeManyAtRandom } from '../model/random-changes.ts';

const SEED = 99;
/** More requests or steps than a backup of this size makes. */
const ENOUGH = 500;

/** No parent has two children, and every visible cloudsnap restores to its instant. */
async function unsound(lab: Lab): Promise<string[]> {
  const faults: string[] = [];
  const children = new Map<string, CloudsnapEntry>();
  for (const entry of await lab.visible()) {
    const { cloudsnapId, parent } = entry.manifest;
    const wrong = await lab.wrongBlocks(entry);
    if (wrong.length > 0) faults.push(`${cloudsnapId} differs in blocks ${wrong.join(' ')}`);
    if (parent && children.has(parent.cloudsnapId)) {
      faults.push(`${parent.cloudsnapId} has two children`);
    }
    if (parent) children.set(parent.cloudsnapId, entry);
  }
  return faults;
}

for (const kind of ['error', 'lost-answer'] satisfies FaultKind[]) {
  test(`failed-backup-loses-no-bits: ${kind} at every single request of the store`, async (t) => {
    t.log(`seed ${SEED}`);
    let failures = 0;
    let finished = false;
    for (let nth = 1; nth < ENOUGH && !finished; nth++) {
      const random = seededRandom(SEED);
      let requestsLeft = Infinity;
      const lab = await Lab.open({
        wrap: (store) =>
          new FaultStore(store, {
            clock: { nowMs: () => 0, sleep: async () => {} },
            plan: () => ({ kind: --requestsLeft === 0 ? kind : 'none' }),
          }),
      });
      changeManyAtRandom(lab.volume, random, 10);
      await lab.backup();
      changeManyAtRandom(lab.volume, random, 10);
      requestsLeft = nth;
      const outcome = await lab.backup().then(
        () => 'done',
        () => 'failed',
      );
      if (outcome === 'failed') failures++;
      finished = requestsLeft > 0;
      requestsLeft = Infinity;
      t.is(lab.volume.openViews, 0);
      changeManyAtRandom(lab.volume, random, 10);
      const next = await lab.backup();
      t.true(next.manifest.parent !== null, `a full one after ${kind} at request ${nth}`);
      t.deepEqual(await unsound(lab), [], `${kind} at request ${nth}`);
    }
    t.true(finished, 'every request was reached');
    t.true(failures > 3, `only ${failures} backups failed`);
  });
}

test('killed at any step: no bits are lost, and no cloudsnap is lost or wrong', async (t) => {
  t.log(`seed ${SEED}`);
  let finished = false;
  const adopted: number[] = [];
  for (let nth = 1; nth < ENOUGH && !finished; nth++) {
    const random = seededRandom(SEED);
    const lab = await Lab.open();
    changeManyAtRandom(lab.volume, random, 10);
    await lab.backup();
    changeManyAtRandom(lab.volume, random, 10);
    let stepsLeft = nth;
    lab.onStep = () => {
      if (--stepsLeft === 0) lab.kill();
    };
    const outcome = await lab.backup().then(
      () => 'done',
      () => 'killed',
    );
    finished = outcome === 'done' && stepsLeft > 0;
    lab.onStep = () => {};
    await lab.restart();
    const published = (await lab.visible()).length === 2;
    if (published && lab.volume.chainTip(lab.repository.id)?.sequence === 1) adopted.push(nth);
    changeManyAtRandom(lab.volume, random, 10);
    const next = await lab.backup();
    t.true(next.manifest.parent !== null, `a full one after step ${nth}`);
    t.is(next.manifest.incrementals, published ? 2 : 1, `killed at step ${nth}`);
    t.deepEqual(await unsound(lab), [], `killed at step ${nth}`);
  }
  t.true(finished, 'every step was reached');
  t.true(
    adopted.length > 0,
    'between the manifest and the note of it there is a step to be killed at',
  );
});

test('a first full one that was published by a killed process is adopted', async (t) => {
  const random = seededRandom(SEED);
  const lab = await Lab.open();
  changeManyAtRandom(lab.volume, random, 10);
  lab.onStep = (name) => {
    if (name === 'commitChain') lab.kill();
  };
  await t.throwsAsync(lab.backup());
  lab.onStep = () => {};
  await lab.restart();
  changeManyAtRandom(lab.volume, random, 10);
  const next = await lab.backup();
  t.is(next.manifest.incrementals, 1);
  t.deepEqual(await unsound(lab), []);
});

test('manifest-last: the manifest is the last object that is put', async (t) => {
  const random = seededRandom(SEED);
  const lab = await Lab.open();
  changeManyAtRandom(lab.volume, random, 20);
  const puts: string[] = [];
  lab.onStep = (name) => {
    if (name.startsWith('put ') && !name.endsWith(' done')) puts.push(name);
  };
  await lab.backup();
  t.is(
    puts.findIndex((name) => name.includes('manifests/')),
    puts.length - 1,
  );
  t.true(puts.length > 1);
});

test('an adopted cloudsnap stays adopted when the backup that adopted it fails', async (t) => {
  const random = seededRandom(SEED);
  const lab = await Lab.open();
  changeManyAtRandom(lab.volume, random, 10);
  lab.onStep = (name) => {
    if (name === 'commitChain') lab.kill();
  };
  await t.throwsAsync(lab.backup());
  lab.onStep = () => {};
  await lab.restart();
  changeManyAtRandom(lab.volume, random, 10);
  lab.onStep = (name) => {
    if (name === 'recordPendingCommit done') throw new Error('broken just before the commit');
  };
  await t.throwsAsync(lab.backup(), { message: 'broken just before the commit' });
  lab.onStep = () => {};
  const next = await lab.backup();
  t.is(next.manifest.incrementals, 1);
  t.deepEqual(await unsound(lab), []);
});
