import test from 'ava';
import { CloudvolError } from '../../src/base/errors.ts';
import { createLog, silentLog } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import type { CloudsnapRepository } from '../../src/cloudsnap/cloudsnap-api.ts';
import { EncryptedRepositoryCipher } from '../../src/cloudsnap/encrypted-repository-cipher.ts';
import { openRepository } from '../../src/cloudsnap/repository.ts';
import { sha256 } from '../../src/format/content-hash.ts';
import type { MemoryStore } from '../../src/store/memory.ts';
import { BLOCK, CloudsnapLab, ModelImage, contentOf, differingBlocks } from './cloudsnap-lab.ts';

const PASSPHRASE = 'correct horse battery canary';
/** A plain block that a search of the bucket would find. */
const CANARY = Buffer.from('the canary sings in the plain block '.repeat(120)).subarray(0, BLOCK);

async function encryptedLab(options = {}): Promise<{ lab: CloudsnapLab; image: ModelImage }> {
  const lab = await CloudsnapLab.open({ passphrase: PASSPHRASE, ...options });
  const image = new ModelImage(300);
  image.change(seededRandom(1), 120);
  image.write(3, CANARY);
  image.write(4, seededRandom(4).bytes(BLOCK));
  return { lab, image };
}

async function everything(disk: MemoryStore): Promise<Map<string, Uint8Array>> {
  const objects = new Map<string, Uint8Array>();
  for await (const { key } of disk.list('')) objects.set(key, await disk.get(key));
  return objects;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'none';
  } catch (error) {
    if (!(error instanceof CloudvolError)) throw error;
    return error.code;
  }
}

test('an encrypted chain restores every point, also with the passphrase alone', async (t) => {
  const { lab, image } = await encryptedLab();
  const full = await lab.backUp(image, null);
  const first = image.bytes.slice();
  image.change(seededRandom(2), 30);
  const incremental = await lab.backUp(image, full);
  const fresh = await lab.another();
  t.deepEqual(await fresh.list({}), [full, incremental]);
  t.deepEqual(differingBlocks(await contentOf(fresh, full), first), []);
  t.deepEqual(differingBlocks(await contentOf(fresh, incremental), image.bytes), []);
  await fresh.delete(incremental);
  t.deepEqual(await lab.repository.list({}), [full]);
});

test('blocks that did not change are not uploaded again in an encrypted repository', async (t) => {
  const { lab, image } = await encryptedLab();
  const full = await lab.backUp(image, null);
  const { manifest } = await lab.upload(image, full, Array(300).keys());
  t.is(manifest.statistics.uploadedBlocks, 0);
});

test('encryption costs one GET more for each root, and none for the next cloudsnap', async (t) => {
  const { lab, image } = await encryptedLab();
  const full = await lab.backUp(image, null);
  const fresh = await lab.another();
  const before = lab.metrics.snapshot().requests;
  await fresh.open(await fresh.find(full.manifest.cloudsnapId));
  const opened = lab.metrics.snapshot().requests;
  t.is(opened.get - before.get, 3, 'manifest, keys, root');
  await fresh.open(await fresh.find(full.manifest.cloudsnapId));
  t.is(lab.metrics.snapshot().requests.get - opened.get, 1);
  image.change(seededRandom(3), 3);
  const begun = lab.metrics.snapshot().requests;
  await lab.backUp(image, full);
  // The owner's record twice, the marker, the parent's tombstone.
  t.is(lab.metrics.snapshot().requests.head - begun.head, 4);
});

test('a credential that disagrees with its repository is refused, writing nothing', async (t) => {
  const { lab, image } = await encryptedLab();
  const full = await lab.backUp(image, null);
  const clear = await CloudsnapLab.open();
  await clear.backUp(image, null);
  const { store, clusterId, log, clock } = lab;
  const cases: [CloudsnapLab, CloudsnapRepository, string][] = [
    [lab, await lab.another({ passphrase: 'another passphrase' }), 'cloudsnap/wrong-passphrase'],
    [lab, await openRepository({ store, clusterId, log, clock }), 'cloudsnap/encrypted'],
    [clear, await clear.another({ passphrase: PASSPHRASE }), 'cloudsnap/not-encrypted'],
  ];
  for (const [where, repository, code] of cases) {
    const before = await everything(where.disk);
    const never = new AbortController().signal;
    t.is(await codeOf(repository.list({})), code);
    t.is(await codeOf(repository.begin(where.plan(image, null, [1]), never)), code);
    t.is(await codeOf(repository.begin(where.plan(new ModelImage(2), null, [1]), never)), code);
    t.deepEqual(await everything(where.disk), before);
  }
  t.is(
    await codeOf((await lab.another({ passphrase: 'wrong' })).find(full.manifest.cloudsnapId)),
    cases[0]![2],
  );
});

test('of two that begin at once with one passphrase, one master key is used', async (t) => {
  const { lab, image } = await encryptedLab();
  const other = new ModelImage(20);
  other.change(seededRandom(5), 10);
  const [one, two] = await Promise.all([
    lab.upload(image, null, [3, 4]),
    lab.upload(other, null, [1], await lab.another()),
  ]);
  t.is(one.manifest.masterKeyId, two.manifest.masterKeyId);
  t.is((await lab.keys('keys/')).length, 1);
  t.is((await (await lab.another()).list({})).length, 2);
});

test('a marker that was lost is put again with the same master key', async (t) => {
  const { lab, image } = await encryptedLab();
  const full = await lab.backUp(image, null);
  await lab.disk.delete([`clusters/${lab.clusterId}`]);
  const again = await lab.upload(image, null, [3], await lab.another());
  t.is(again.manifest.masterKeyId, full.manifest.masterKeyId);
});

test('no passphrase, plain block or name occurs in the bucket, the log or errors', async (t) => {
  const lines: string[] = [];
  const { lab, image } = await encryptedLab({
    log: createLog((line) => lines.push(line), 'debug'),
  });
  const full = await lab.backUp(image, null);
  const wrong = await lab.another({ passphrase: 'wrong canary' });
  const error = await t.throwsAsync(wrong.find(full.manifest.cloudsnapId));
  const bucket = [...(await everything(lab.disk))].map(([key, body]) =>
    Buffer.concat([Buffer.from(key), body]),
  );
  const seen = Buffer.concat([
    ...bucket,
    Buffer.from(lines.join()),
    Buffer.from(String(error?.stack)),
  ]);
  const secrets = [PASSPHRASE, 'wrong canary', 'the canary sings', 'database', 'tier', 'gold'];
  for (const secret of secrets) t.false(seen.includes(secret), secret);
  t.false(seen.includes(Buffer.from(sha256(CANARY))), 'the hash of a plain block');
  t.false(seen.includes(Buffer.from(seededRandom(4).bytes(BLOCK)).subarray(0, 64)));
});

const REFUSALS = ['cloudsnap/corrupt', 'cloudsnap/wrong-passphrase', 'cloudsnap/not-encrypted'];

test('every encrypted object that is altered, cut, extended or moved is refused', async (t) => {
  t.timeout(300_000);
  const { lab, image } = await encryptedLab();
  const full = await lab.backUp(image, null);
  image.change(seededRandom(9), 40);
  const incremental = await lab.backUp(image, full);
  const expected = image.bytes.slice();
  const objects = await everything(lab.disk);
  // The marker is no proof of anything, `open` and the owner's record are not read for a restore.
  const wanted = [...objects.keys()].filter(
    (key) => !key.startsWith('clusters/') && !key.endsWith('/open') && !key.includes('/owner/'),
  );
  const { clusterId, clock } = lab;
  // The KDF is slow on purpose: where the keys object is sound, one repository's keys serve all.
  const read = async (repository: CloudsnapRepository) => {
    const entry = await repository.find(incremental.manifest.cloudsnapId);
    return await contentOf(repository, entry);
  };
  const store = lab.disk;
  let refused = 0;
  const refuses = async (what: string) => {
    const fresh = await openRepository({
      store,
      clusterId,
      log: silentLog,
      clock,
      passphrase: PASSPHRASE,
    });
    let code = 'none';
    try {
      const content = await read(fresh);
      // What this cloudsnap does not need may be altered without anybody seeing it here.
      t.deepEqual(differingBlocks(content, expected), [], what);
    } catch (error) {
      code = error instanceof CloudvolError ? error.code : String(error);
      t.true(REFUSALS.includes(code), `${what}: ${code}`);
      refused++;
    }
    return code;
  };
  const random = seededRandom(20);
  for (const key of wanted) {
    const body = objects.get(key)!;
    const isNeeded = !key.includes(`/${full.manifest.cloudsnapId.split('/')[1]}/root`);
    const at = random.below(body.length);
    const changes: [string, Uint8Array][] = [
      ['header', body.with(9, body[9]! ^ 1)],
      ['middle', body.with(at, body[at]! ^ 4)],
      ['last byte', body.with(body.length - 1, body.at(-1)! ^ 0x80)],
      ['cut', body.subarray(0, body.length - 1)],
      ['extended', Buffer.concat([body, Uint8Array.of(0)])],
    ];
    for (const [name, changed] of changes) {
      await store.put(key, changed);
      const code = await refuses(`${name} of ${key}`);
      // A byte behind the last frame belongs to nothing.
      const matters = isNeeded && !key.includes('/manifests/') && name !== 'extended';
      if (matters && !key.includes('pack-') && !key.includes('index-')) t.not(code, 'none', name);
    }
    await store.put(key, body);
  }
  for (const key of wanted) {
    for (const other of wanted) {
      if (key === other || random.below(6) > 0) continue;
      await store.put(key, objects.get(other)!);
      await refuses(`${other} in the place of ${key}`);
    }
    await store.put(key, objects.get(key)!);
  }
  t.is(await refuses('nothing changed'), 'none');
  t.true(refused > 2 * wanted.length, `${refused}`);
});

test('frames that change places within a pack, or between packs, are refused', async (t) => {
  const { lab } = await encryptedLab();
  const image = new ModelImage(4);
  for (let block = 0; block < 4; block++) image.write(block, seededRandom(block).bytes(BLOCK));
  const entry = await lab.backUp(image, null);
  const [key] = (await lab.keys()).filter((each) => each.includes('/pack-'));
  const frame = 44 + BLOCK + 16;
  const swap = (body: Uint8Array, from: number, to: number, start: number) => {
    const copy = body.slice();
    copy.set(
      body.subarray(40 + from * frame + start, 40 + (from + 1) * frame),
      40 + to * frame + start,
    );
    return copy;
  };
  const original = await lab.disk.get(key!);
  // With its header, and with the header that belongs there.
  for (const start of [0, 12]) {
    await lab.disk.put(key!, swap(original, 1, 2, start));
    t.is(await codeOf(contentOf(lab.repository, entry)), 'cloudsnap/corrupt');
  }
  await lab.disk.put(key!, original);
  t.deepEqual(differingBlocks(await contentOf(lab.repository, entry), image.bytes), []);
});

test('weakened or inflated KDF parameters are refused before they cost anything', async (t) => {
  const { lab, image } = await encryptedLab();
  const { manifest } = await lab.backUp(image, null);
  const [key] = await lab.keys('keys/');
  const original = Buffer.from(await lab.disk.get(key!)).toString();
  const { decodeKeySlots, encodeKeySlots } = await import('../../src/cloudsnap/key-slots.ts');
  const keys = decodeKeySlots(Buffer.from(original), lab.clusterId, manifest.masterKeyId!);
  const kdfs = [
    { name: 'argon2id', memoryKib: 8, passes: 1, parallelism: 1 },
    { name: 'argon2id', memoryKib: 65_536, passes: 2, parallelism: 1 },
    { name: 'argon2id', memoryKib: 4_194_304, passes: 3, parallelism: 1 },
    { name: 'argon2id', memoryKib: 65_536, passes: 1_000_000, parallelism: 1 },
    { name: 'argon2id', memoryKib: 65_536, passes: 3, parallelism: 1000 },
    { name: 'scrypt', n: 1024, r: 8, p: 1 },
    { name: 'scrypt', n: 2 ** 24, r: 8, p: 1 },
  ] as const;
  for (const kdf of kdfs) {
    const slots = keys.slots.map((slot) => ({ ...slot, kdf }));
    await lab.disk.put(key!, encodeKeySlots({ ...keys, slots }));
    const started = process.memoryUsage().rss;
    t.is(await codeOf((await lab.another()).list({})), 'none', 'reported, and nothing is shown');
    const found = (await lab.another()).find(manifest.cloudsnapId);
    t.is(await codeOf(found), 'cloudsnap/corrupt', JSON.stringify(kdf));
    t.true(process.memoryUsage().rss - started < 128 << 20);
  }
});

test('a clear tombstone in an encrypted repository removes nothing', async (t) => {
  const { lab, image } = await encryptedLab();
  const full = await lab.backUp(image, null);
  const second = await lab.upload(image, null, [3, 4]);
  const { cloudsnapId, volume } = full.manifest;
  const record = `{"cloudsnapId":"${cloudsnapId}","deletedMs":1,"formatVersion":1}`;
  const key = `${lab.clusterId}/manifests/${volume.id}/0000000001`;
  await lab.disk.put(`${key}.deleted`, Buffer.from(record));
  const before = (await lab.keys(`${cloudsnapId.split('/')[1]}/`)).length;
  await lab.repository.delete(second);
  t.is((await lab.keys(`${cloudsnapId.split('/')[1]}/`)).length, before);
  t.not(await lab.disk.head(key), undefined);
});

test('an encrypted root is not listed as empty without its passphrase', async (t) => {
  const { lab } = await encryptedLab();
  const { disk, clusterId } = lab;
  const cipher = new EncryptedRepositoryCipher(disk, PASSPHRASE);
  await cipher.forWriting(clusterId, new AbortController().signal);
  t.deepEqual(await lab.repository.list({}), []);
  t.is(
    await codeOf((await lab.another({ passphrase: 'x' })).list({})),
    'cloudsnap/wrong-passphrase',
  );
  const clear = await CloudsnapLab.open({ disk });
  t.deepEqual(await clear.repository.list({}), [], 'its own root is not there yet');
  const error = await t.throwsAsync(clear.repository.list({ clusterId }), {
    code: 'cloudsnap/encrypted',
  });
  t.true(error instanceof CloudvolError && /with the passphrase/.test(error.hint ?? ''));
  t.is(await codeOf(clear.repository.list({ allClusters: true })), 'cloudsnap/encrypted');
  // What can be read is shown, whatever else there is.
  const entry = await clear.backUp(new ModelImage(8), null);
  t.deepEqual(await clear.repository.list({ allClusters: true }), [entry]);
});
