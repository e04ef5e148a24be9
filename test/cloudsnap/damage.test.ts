import test from 'ava';
import { CloudvolError } from '../../src/base/errors.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import type { CloudsnapEntry } from '../../src/cloudsnap/cloudsnap-api.ts';
import {
  BLOCK,
  CloudsnapLab,
  ModelImage,
  contentOf,
  differingBlocks,
  readAll,
} from './cloudsnap-lab.ts';

const DAMAGE = ['cloudsnap/corrupt', 'format/corrupt', 'cloudsnap/not-found'];

async function labWithChain() {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(600);
  image.change(seededRandom(1), 1500);
  const full = await lab.backUp(image, null);
  const fullBytes = image.bytes.slice();
  image.change(seededRandom(2), 120);
  const incremental = await lab.backUp(image, full);
  return {
    lab,
    points: [
      { entry: full, bytes: fullBytes },
      { entry: incremental, bytes: image.bytes },
    ],
  };
}

/** From the id alone, as a restore does it. */
async function restore(lab: CloudsnapLab, { manifest }: CloudsnapEntry): Promise<Uint8Array> {
  const repository = await lab.another();
  return await contentOf(repository, await repository.find(manifest.cloudsnapId));
}

const CHANGES: Record<string, (body: Uint8Array, at: number) => Uint8Array> = {
  altered: (body, at) => body.map((byte, i) => (i === at ? byte ^ 0x10 : byte)),
  truncated: (body, at) => body.subarray(0, at),
  'with zeros in it': (body, at) => body.map((byte, i) => (i >= at && i < at + 64 ? 0 : byte)),
};

for (const [name, change] of Object.entries(CHANGES)) {
  test(`right bytes or an error: every object ${name} in several places`, async (t) => {
    const { lab, points } = await labWithChain();
    const random = seededRandom(name.length);
    t.log(`seed ${random.seed}`);
    let refused = 0;
    for (const key of await lab.keys()) {
      if (key.endsWith('/open')) continue;
      const original = await lab.disk.get(key);
      for (let round = 0; round < 6; round++) {
        const at = random.below(original.length);
        await lab.disk.put(key, change(original, at));
        for (const { entry, bytes } of points) {
          const content = await restore(lab, entry).catch((error: unknown) => error);
          if (content instanceof Uint8Array) {
            t.is(Buffer.compare(content, bytes), 0, `${key} at ${at}: wrong bytes`);
          } else {
            t.true(
              content instanceof CloudvolError && DAMAGE.includes(content.code),
              String(content),
            );
            refused++;
          }
        }
      }
      await lab.disk.put(key, original);
    }
    t.true(refused > 20, `${refused} times refused`);
    for (const { entry, bytes } of points)
      t.deepEqual(differingBlocks(await restore(lab, entry), bytes), []);
  });
}

test('right bytes or an error: objects swapped with each other, or missing', async (t) => {
  const { lab, points } = await labWithChain();
  const keys = (await lab.keys()).filter((key) => !key.endsWith('/open'));
  let refused = 0;
  const check = async (what: string) => {
    for (const { entry, bytes } of points) {
      const content = await restore(lab, entry).catch((error: unknown) => error);
      if (content instanceof Uint8Array) t.is(Buffer.compare(content, bytes), 0, what);
      else {
        t.true(content instanceof CloudvolError && DAMAGE.includes(content.code), String(content));
        refused++;
      }
    }
  };
  for (const [i, left] of keys.entries()) {
    const original = await lab.disk.get(left);
    for (const right of keys.slice(i + 1)) {
      const other = await lab.disk.get(right);
      await lab.disk.put(left, other);
      await lab.disk.put(right, original);
      await check(`${left} and ${right} swapped`);
      await lab.disk.put(right, other);
    }
    await lab.disk.delete([left]);
    await check(`${left} missing`);
    await lab.disk.put(left, original);
  }
  t.true(refused > keys.length, `${refused} times refused`);
});

test('an error names the cloudsnap, the pack and the block', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(20);
  for (let block = 5; block < 9; block++) image.write(block, seededRandom(block).bytes(BLOCK));
  const entry = await lab.backUp(image, null);
  const [pack] = await lab.keys(`${entry.manifest.cloudsnapId.split('/')[1]}/pack-`);
  // Header of the pack, two frames with theirs, and into the third.
  const at = 40 + 2 * (44 + BLOCK) + 1000;
  await lab.alter(pack!, (body) => body.with(at, body[at]! ^ 1));
  const reader = await lab.repository.open(entry);
  const error = await t.throwsAsync(readAll(reader), { code: 'cloudsnap/corrupt' });
  t.deepEqual((error as CloudvolError).details, {
    cloudsnapId: entry.manifest.cloudsnapId,
    object: pack,
    block: 7,
  });
  t.regex(error.message, /block 7/);
  const [run] = await reader.readBlocks({ firstBlock: 8, blockCount: 1 });
  t.deepEqual(run?.data, seededRandom(8).bytes(BLOCK), 'its neighbour is still there');
});

test('a damaged index page does not take the pages beside it along', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(1024);
  for (let block = 0; block < 1024; block++) image.write(block, seededRandom(block).bytes(BLOCK));
  const entry = await lab.backUp(image, null);
  const [index] = await lab.keys(`${entry.manifest.cloudsnapId.split('/')[1]}/index-`);
  await lab.alter(index!, (body) => body.map((byte, i) => (i === 100 ? byte ^ 1 : byte)));
  const reader = await lab.repository.open(entry);
  await t.throwsAsync(reader.readBlocks({ firstBlock: 3, blockCount: 1 }), {
    code: 'cloudsnap/corrupt',
  });
  const [run] = await reader.readBlocks({ firstBlock: 300, blockCount: 1 });
  t.deepEqual(run?.data, seededRandom(300).bytes(BLOCK));
});

for (const kind of ['garble', 'truncate'] as const) {
  test(`a body that arrives wrong once (${kind}) is read again unnoticed`, async (t) => {
    const { lab, points } = await labWithChain();
    const { entry, bytes } = points[1]!;
    for (let nth = 1; nth < 30; nth++) {
      let gets = 0;
      lab.faults = ({ verb }) => ({ kind: verb === 'get' && ++gets === nth ? kind : 'none' });
      t.deepEqual(differingBlocks(await restore(lab, entry), bytes), []);
      if (gets < nth) return;
    }
    t.fail('more requests than a restore makes');
  });
}

test('a store that does not answer is no damage', async (t) => {
  const { lab, points } = await labWithChain();
  const reader = await lab.repository.open(points[1]!.entry);
  lab.faults = ({ verb }) => ({ kind: verb === 'get' ? 'error' : 'none' });
  await t.throwsAsync(readAll(reader), { code: 'store/unavailable' });
});

test('reading ends with the reason of its signal, and with the close of the reader', async (t) => {
  const { lab, points } = await labWithChain();
  const reader = await lab.repository.open(points[1]!.entry);
  lab.faults = ({ verb }) => ({ kind: verb === 'get' ? 'hang' : 'none' });
  const controller = new AbortController();
  const read = reader.readBlocks({ firstBlock: 0, blockCount: 10 }, controller.signal);
  const reason = new Error('enough');
  controller.abort(reason);
  t.is(await t.throwsAsync(read), reason);
  const other = reader.readBlocks({ firstBlock: 0, blockCount: 10 });
  await reader.close();
  await t.throwsAsync(other, { name: 'AbortError' });
});
