import { copyFile } from 'node:fs/promises';
import test from 'ava';
import { systemClock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { encryptOnce } from '../../src/crypto/aead.ts';
import { KeyTree } from '../../src/crypto/key-tree.ts';
import { type Fault, type FaultRequest, FaultStore } from '../../src/store/layers/faults.ts';
import { Lab } from '../model/lab.ts';
import { RecordingTask } from '../model/recording-task.ts';

const BLOCK = 4096;
/** Four blocks of noise in a pack. */
const PACK_BYTES = 4 * BLOCK;
const PASSPHRASE = 'correct horse battery staple';
const noise = (count: number, seed: number) => seededRandom(seed).bytes(count * BLOCK);

/** What made a key of its own of everything that was encrypted, in all processes of this file. */
const used: string[] = [];
/** How many packs left for the store, sealed. */
let packs = 0;

test.before(() => {
  KeyTree.prototype.encrypt = function (label, objectId, aad, plain) {
    const key = this.objectKey(label, objectId);
    used.push(Buffer.from(key).toString('hex'));
    return encryptOnce(key, aad, plain);
  };
});

/** The key of a pack's frames comes of its id, which its name ends with: a put is a sealed pack. */
function notePacks({ verb, key }: FaultRequest): Fault {
  const [, packId] = /\/pack-([0-9a-f]+)$/.exec(key) ?? [];
  if (verb === 'put' && packId !== undefined) {
    packs++;
    used.push(packId);
  }
  return { kind: 'none' };
}

function openLab(): Promise<Lab> {
  return Lab.open({
    packTargetBytes: PACK_BYTES,
    passphrase: PASSPHRASE,
    wrap: (next) => new FaultStore(next, { plan: notePacks, clock: systemClock }),
  });
}

const isDurable = (name: string) => name.startsWith('put ') && !name.endsWith(' done');

test('cut at every put and gone on, nothing is ever encrypted twice under one key', async (t) => {
  let resumed = 0;
  let finished = false;
  for (let nth = 1; !finished; nth++) {
    const lab = await openLab();
    lab.volume.write(0, noise(20, 2));
    let left = nth;
    lab.onStep = (name) => isDurable(name) && --left === 0 && lab.kill();
    finished = await lab.backup().then(
      () => true,
      () => false,
    );
    lab.onStep = () => {};
    if (finished) break;
    await lab.restart();
    // What has arrived is partly of another instant now.
    lab.volume.write(nth % 20, noise(1, 100 + nth));
    const task = new RecordingTask();
    const entry = await lab.backup({}, task);
    t.deepEqual(await lab.wrongBlocks(entry), [], `cut at put ${nth}`);
    if (Number(task.results['reusedBlocks'] ?? 0) > 0) resumed++;
  }
  t.true(resumed >= 4, `only ${resumed} went on`);
  t.true(packs > 30 && used.length > packs);
  t.is(new Set(used).size, used.length, 'a key was used twice');
});

test('a state directory that was rolled back encrypts nothing under a used key', async (t) => {
  const lab = await openLab();
  lab.volume.write(0, noise(24, 3));
  const cut = async (after: number) => {
    let left = after;
    lab.onStep = (name) => {
      if (name.includes('/pack-') && name.endsWith(' done') && --left === 0) lab.kill();
    };
    await t.throwsAsync(lab.backup());
    lab.onStep = () => {};
    await lab.restart();
  };
  await cut(3);
  const path = lab.volume.uploadJournalPath(lab.repository.id);
  await copyFile(path, `${path}.old`);
  await cut(2);
  await copyFile(`${path}.old`, path);
  lab.volume.write(2, noise(3, 4));
  const entry = await lab.backup();
  t.deepEqual(await lab.wrongBlocks(entry), []);
  t.is(new Set(used).size, used.length, 'a key was used twice');
});

test('an upload of another master key does not go on, and says so', async (t) => {
  const lab = await openLab();
  lab.volume.write(0, noise(24, 5));
  let left = 3;
  lab.onStep = (name) => {
    if (name.includes('/pack-') && name.endsWith(' done') && --left === 0) lab.kill();
  };
  await t.throwsAsync(lab.backup());
  lab.onStep = () => {};
  // Whoever removes marker and keys makes a new root of it.
  for await (const { key } of lab.disks[0]!.list('')) {
    if (key.startsWith('clusters/') || key.includes('/keys/')) await lab.disks[0]!.delete([key]);
  }
  await lab.restart();
  const task = new RecordingTask();
  const entry = await lab.backup({}, task);
  t.true(
    task.notes.some((note) => note.includes('the repository has another key')),
    task.notes.join('; '),
  );
  t.is(task.results['reusedBlocks'], undefined);
  t.deepEqual(await lab.wrongBlocks(entry), []);
});
