import test from 'ava';
import { CloudvolError } from '../../src/base/errors.ts';
import { newClusterId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import {
  changePassphrase,
  type ChangeJournal,
  type ChangePassphraseOptions,
} from '../../src/cloudsnap/change-passphrase.ts';
import { EncryptedRepositoryCipher } from '../../src/cloudsnap/encrypted-repository-cipher.ts';
import { encodeKeySlots, wrapMasterKey } from '../../src/cloudsnap/key-slots.ts';
import { masterKeyKey } from '../../src/cloudsnap/object-keys.ts';
import { openRepository } from '../../src/cloudsnap/repository.ts';
import { readClusterMarker } from '../../src/cloudsnap/read-cluster-marker.ts';
import { readKeySlots } from '../../src/cloudsnap/read-key-slots.ts';
import type { UnfinishedChange } from '../../src/cloudsnap/slot-change.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { MortalStore } from '../model/mortal-store.ts';
import { ManualClock } from '../base/manual-clock.ts';

const OLD = 'the old passphrase';
const NEW = 'the new passphrase';
const never = new AbortController().signal;

/** A host: what it holds durably, and its present process. */
class Host {
  readonly clusterId = newClusterId();
  readonly noted = new Map<string, UnfinishedChange>();
  readonly disk: MemoryStore;
  passphrase: string;
  /** Told before each step that changes something durable, anywhere. */
  onStep: (name: string) => void = () => {};
  #way: MortalStore;

  constructor(disk = new MemoryStore(), passphrase = OLD) {
    this.disk = disk;
    this.passphrase = passphrase;
    this.#way = this.#newWay();
  }

  kill(): void {
    this.#way.die();
  }

  restart(): void {
    this.#way = this.#newWay();
  }

  change(to: string, more: Partial<ChangePassphraseOptions> = {}) {
    const journal: ChangeJournal = {
      find: async (id) => this.noted.get(id),
      note: async (id, change) => this.#step('note', () => this.noted.set(id, change)),
      remove: async (id) => this.#step('forget', () => this.noted.delete(id)),
    };
    return changePassphrase({
      store: this.#way,
      clusterId: this.clusterId,
      allClusters: false,
      from: this.passphrase,
      to,
      journal,
      switchOver: async () => this.#step('switch', () => (this.passphrase = to)),
      signal: never,
      ...more,
    });
  }

  /** Whether a passphrase opens the root; one that nobody has begun is opened by none. */
  async opens(passphrase: string): Promise<boolean> {
    try {
      const cipher = new EncryptedRepositoryCipher(this.disk, passphrase);
      const marker = await readClusterMarker(this.disk, this.clusterId);
      if (!marker) return false;
      await cipher.forWriting(this.clusterId, never);
      return true;
    } catch (error) {
      if (error instanceof CloudvolError && error.code === 'cloudsnap/wrong-passphrase') {
        return false;
      }
      throw error;
    }
  }

  /** Makes the root. */
  async begin(): Promise<string> {
    const cipher = new EncryptedRepositoryCipher(this.disk, this.passphrase);
    return (await cipher.forWriting(this.clusterId, never)).masterKeyId ?? '';
  }

  async slots() {
    const { masterKeyId = '' } = (await readClusterMarker(this.disk, this.clusterId)) ?? {};
    return (await readKeySlots(this.disk, this.clusterId, masterKeyId)).slots;
  }

  #newWay(): MortalStore {
    return new MortalStore(this.disk, (name) => this.onStep(name));
  }

  async #step(name: string, work: () => unknown): Promise<void> {
    await this.#way.head(`${name}-before`);
    work();
    await this.#way.head(`${name}-after`);
  }
}

test('the new passphrase opens, the old one does not, and no data is written', async (t) => {
  const host = new Host();
  const masterKeyId = await host.begin();
  const puts: string[] = [];
  host.onStep = (name) => name.startsWith('put ') && !name.endsWith('done') && puts.push(name);
  t.like(await host.change(NEW), { outcome: 'changed', clusterIds: [host.clusterId] });
  t.deepEqual([...new Set(puts)], [`put ${masterKeyKey(host.clusterId, masterKeyId)}`]);
  t.deepEqual([await host.opens(OLD), await host.opens(NEW)], [false, true]);
  t.is((await host.slots()).length, 1);
  t.is(host.noted.size, 0);
});

/** Before each step that changes something durable; what is read in between changes nothing. */
const isDurable = (name: string) => /^put .*[^e]$|^head (note|switch|forget)-before$/.test(name);

test('killed at any step, the host knows a passphrase that opens; again, it is done', async (t) => {
  const begun = new Host();
  const key = masterKeyKey(begun.clusterId, await begun.begin());
  let steps = 0;
  for (let finished = false; !finished; steps++) {
    const host = new Host(new MemoryStore());
    Object.assign(host, { clusterId: begun.clusterId });
    for (const each of [key, `clusters/${begun.clusterId}`]) {
      await host.disk.put(each, await begun.disk.get(each));
    }
    let left = steps;
    host.onStep = (name) => isDurable(name) && left-- === 0 && host.kill();
    finished = await host.change(NEW).then(
      ({ unfinished }) => unfinished === undefined,
      () => false,
    );
    if (finished) break;
    host.restart();
    host.onStep = () => {};
    t.true(await host.opens(host.passphrase), `killed at step ${steps}`);
    // Neither the old one nor that of the first attempt may stay.
    const to = steps % 2 === 0 ? 'a third passphrase' : NEW;
    t.like(await host.change(to), { outcome: 'changed' });
    t.is((await host.slots()).length, 1, `killed at step ${steps}`);
    t.true(await host.opens(to));
    t.is(host.noted.size, 0);
  }
  t.is(steps, 5, 'the journal, both slots, the host, the one slot, the journal');
});

test('a root that nobody has written to is begun, and opens with the new one only', async (t) => {
  const host = new Host();
  await host.change(NEW);
  t.deepEqual([await host.opens(OLD), await host.opens(NEW)], [false, true]);
});

test('a host that was not told takes over the passphrase that another one has set', async (t) => {
  const host = new Host();
  await host.begin();
  const other = new Host(host.disk);
  Object.assign(other, { clusterId: host.clusterId });
  await other.change(NEW);
  await t.throwsAsync(host.change('a third'), {
    code: 'cloudsnap/wrong-passphrase',
    message: /does not open/,
  });
  const before = await host.slots();
  t.like(await host.change(NEW), { outcome: 'adopted' });
  t.is(host.passphrase, NEW);
  t.deepEqual(await host.slots(), before);
});

test('what a killed change left is taken away also after another host went on', async (t) => {
  const host = new Host();
  await host.begin();
  host.onStep = (name) => name === 'head switch-after' && host.kill();
  await t.throwsAsync(host.change(NEW));
  host.onStep = () => {};
  host.restart();
  const other = new Host(host.disk, NEW);
  Object.assign(other, { clusterId: host.clusterId });
  await other.change('a third');
  t.true(await host.opens(OLD), 'the other host does not know whose slot that is');
  await host.change('a third');
  t.deepEqual([await host.opens(OLD), await host.opens('a third')], [false, true]);
  t.is((await host.slots()).length, 1);
});

test('of two hosts that change at once the last one is right, or one is told', async (t) => {
  const host = new Host();
  await host.begin();
  const other = new Host(host.disk);
  Object.assign(other, { clusterId: host.clusterId });
  let isFirst = true;
  let others: unknown;
  const store = new MortalStore(host.disk, () => {});
  const put = store.put.bind(store);
  store.put = async (...args) => {
    if (isFirst) {
      isFirst = false;
      others = await other.change('of the other');
    }
    return put(...args);
  };
  // It has read the slots, and writes them after the other one has changed them all.
  const mine = await host.change(NEW, { store });
  t.like(mine, { outcome: 'changed' });
  t.like(others, { outcome: 'changed' });
  t.true(await host.opens(NEW));

  host.onStep = () => {};
  const third = host.change('third', {
    switchOver: async () => {
      await host.disk.put(...(await foreignKeys(host)));
    },
  });
  const { unfinished } = await third;
  t.like(unfinished, { code: 'cloudsnap/lost-race' });
});

/** A keys object without anything of ours. */
async function foreignKeys(host: Host): Promise<[string, Uint8Array]> {
  const { masterKeyId = '' } = (await readClusterMarker(host.disk, host.clusterId)) ?? {};
  const keys = { clusterId: host.clusterId, masterKeyId };
  const slot = await wrapMasterKey(Buffer.alloc(32, 1), 'foreign', keys);
  return [masterKeyKey(host.clusterId, masterKeyId), encodeKeySlots({ ...keys, slots: [slot] })];
}

test('a slot that nobody here made stays; a ninth is refused before a write', async (t) => {
  const host = new Host();
  const masterKeyId = await host.begin();
  const keys = await readKeySlots(host.disk, host.clusterId, masterKeyId);
  // The same master key is not known here: what counts is that the slot stays as it is.
  const foreign = { ...keys.slots[0]!, salt: 'ab'.repeat(32) };
  const key = masterKeyKey(host.clusterId, masterKeyId);
  await host.disk.put(key, encodeKeySlots({ ...keys, slots: [...keys.slots, foreign] }));
  await host.change(NEW);
  t.deepEqual((await host.slots()).slice(1), [foreign]);

  const [own] = await host.slots();
  const seven = Array.from({ length: 7 }, (_, index) => ({
    ...foreign,
    salt: `${index}`.repeat(64),
  }));
  const full = encodeKeySlots({ ...keys, slots: [own!, ...seven] });
  await host.disk.put(key, full);
  await t.throwsAsync(host.change('a third'), { code: 'cloudsnap/too-many-passphrases' });
  t.deepEqual(Buffer.from(await host.disk.get(key)), Buffer.from(full));
});

test('other roots change only when they are asked for, and only those that it opens', async (t) => {
  const [host, same] = [new Host(), new Host()];
  Object.assign(same, { disk: host.disk });
  const another = new Host(host.disk, 'quite another');
  for (const each of [host, same, another]) await each.begin();
  const clear = newClusterId();
  await host.disk.put(
    `clusters/${clear}`,
    Buffer.from(`{"clusterId":"${clear}","formatVersion":1}`),
  );
  await host.change(NEW);
  t.deepEqual([await same.opens(OLD), await same.opens(NEW)], [true, false]);
  host.passphrase = OLD;
  const own = new Host(host.disk);
  await own.begin();
  const { clusterIds } = await own.change(NEW, { allClusters: true });
  t.deepEqual([...clusterIds].sort(), [own.clusterId, same.clusterId].sort());
  t.deepEqual([await same.opens(OLD), await same.opens(NEW)], [false, true]);
  t.true(await another.opens('quite another'));
});

test('a clear root, and the same passphrase again, are refused in one sentence', async (t) => {
  const host = new Host();
  await host.disk.put(
    `clusters/${host.clusterId}`,
    Buffer.from(`{"clusterId":"${host.clusterId}","formatVersion":1}`),
  );
  await t.throwsAsync(host.change(NEW), { code: 'cloudsnap/not-encrypted' });
  const encrypted = new Host();
  await encrypted.begin();
  await t.throwsAsync(encrypted.change(OLD), { code: 'cloudsnap/same-passphrase' });
  t.true(await encrypted.opens(OLD));
});

test('a keys object that is lost while it changes comes back when it is done again', async (t) => {
  const host = new Host();
  const masterKeyId = await host.begin();
  host.onStep = (name) => name.startsWith('put ') && name.endsWith(' done') && host.kill();
  await t.throwsAsync(host.change(NEW));
  host.onStep = () => {};
  host.restart();
  await host.disk.delete([masterKeyKey(host.clusterId, masterKeyId)]);
  await host.change(NEW);
  t.deepEqual([await host.opens(OLD), await host.opens(NEW)], [false, true]);
});

test('with the old passphrase elsewhere, one sentence says what to do', async (t) => {
  const host = new Host();
  await host.begin();
  await host.change(NEW);
  const clock = new ManualClock();
  const { disk: store, clusterId } = host;
  const elsewhere = await openRepository({
    store,
    clusterId,
    clock,
    log: silentLog,
    passphrase: OLD,
  });
  const error = await t.throwsAsync(
    elsewhere.begin(
      {
        volume: {
          id: '1' as never,
          name: 'v',
          geometry: { sizeBytes: 4096, blockBytes: 4096, blockCount: 1 },
          fileSystem: 'none',
          labels: {},
        },
        parent: null,
        fullReason: 'first',
        createdMs: 1,
        type: 'Manual',
        consistency: 'crash',
        plannedBlocks: 1,
      },
      never,
    ),
    { code: 'cloudsnap/wrong-passphrase' },
  );
  t.true(error instanceof CloudvolError && /change-passphrase/.test(error.hint ?? ''));
});
