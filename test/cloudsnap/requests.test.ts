import test from 'ava';
import { seededRandom } from '../../src/base/seeded-random.ts';
import type { CloudsnapEntry } from '../../src/cloudsnap/cloudsnap-api.ts';
import { BLOCK, CloudsnapLab, ModelImage, readAll, differingBlocks } from './cloudsnap-lab.ts';

/** A full and `incrementals` more, each with a few changed blocks. */
async function chain(lab: CloudsnapLab, image: ModelImage, incrementals: number) {
  const entries: CloudsnapEntry[] = [await lab.backUp(image, null)];
  for (let i = 0; i < incrementals; i++) {
    image.change(seededRandom(i), 5);
    entries.push(await lab.backUp(image, entries.at(-1)!));
  }
  return entries;
}

function requestsSince(lab: CloudsnapLab) {
  const before = lab.metrics.snapshot();
  return () => {
    const now = lab.metrics.snapshot();
    const { get, put, head, list } = now.requests;
    return {
      get: get - before.requests.get,
      put: put - before.requests.put,
      head: head - before.requests.head,
      list: list - before.requests.list,
    };
  };
}

test('opening costs two GETs, manifest and root, however long the chain', async (t) => {
  for (const incrementals of [0, 1, 6]) {
    const lab = await CloudsnapLab.open();
    const image = new ModelImage(500);
    image.change(seededRandom(7), 500);
    const last = (await chain(lab, image, incrementals)).at(-1)!;
    const repository = await lab.another();
    const requests = requestsSince(lab);
    await repository.open(await repository.find(last.manifest.cloudsnapId));
    t.deepEqual(requests(), { get: 2, put: 0, head: 0, list: 1 });
  }
});

test('blocks that lie side by side are one GET, behind one for their index pages', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(1024);
  for (let block = 0; block < 1024; block++) image.write(block, seededRandom(block).bytes(BLOCK));
  const reader = await lab.repository.open(await lab.backUp(image, null));
  const requests = requestsSince(lab);
  await reader.readBlocks({ firstBlock: 200, blockCount: 100 });
  t.deepEqual(requests(), { get: 2, put: 0, head: 0, list: 0 });
  await reader.readBlocks({ firstBlock: 500, blockCount: 500 });
  t.is(requests().get, 3, 'pages of the neighbourhood came with the first request');
  await reader.readBlocks({ firstBlock: 500, blockCount: 1 });
  t.is(requests().get, 4);
});

test('callers that want the same page at the same time share its request', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(256);
  for (let block = 0; block < 256; block++) image.write(block, seededRandom(block).bytes(BLOCK));
  const reader = await lab.repository.open(await lab.backUp(image, null));
  const requests = requestsSince(lab);
  const blocks = [3, 100, 200];
  await Promise.all(blocks.map((firstBlock) => reader.readBlocks({ firstBlock, blockCount: 1 })));
  t.is(requests().get, 1 + blocks.length);
});

test('a small gap is read over, a large one is left out', async (t) => {
  const lab = await CloudsnapLab.open();
  const blockBytes = 64 << 10;
  const image = new ModelImage(64, blockBytes);
  for (let block = 0; block < 64; block++) {
    image.write(block, seededRandom(block).bytes(blockBytes));
  }
  const full = await lab.backUp(image, null);
  image.write(10, new Uint8Array(blockBytes));
  for (let block = 30; block < 50; block++) image.write(block, new Uint8Array(blockBytes));
  const reader = await lab.repository.open(await lab.backUp(image, full));
  await reader.readBlocks({ firstBlock: 0, blockCount: 1 });
  const requests = requestsSince(lab);
  const before = lab.metrics.snapshot().bytesDown;
  await reader.readBlocks({ firstBlock: 0, blockCount: 64 });
  t.is(requests().get, 2);
  const frame = 44 + blockBytes;
  t.is(lab.metrics.snapshot().bytesDown - before, (30 + 14) * frame);
  t.deepEqual(differingBlocks(await readAll(reader), image.bytes), []);
});

test('a listing reads every manifest once, and nothing but manifests', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(300);
  image.change(seededRandom(1), 100);
  const entries = await chain(lab, image, 4);
  const repository = await lab.another();
  const requests = requestsSince(lab);
  const seen: string[] = [];
  lab.faults = ({ verb, key }) => {
    seen.push(`${verb} ${key}`);
    return { kind: 'none' };
  };
  t.deepEqual(await repository.list({ volumeId: image.id }), entries);
  t.deepEqual(requests(), { get: 5, put: 0, head: 0, list: 1 });
  t.deepEqual(await repository.list({}), entries);
  t.deepEqual(requests(), { get: 5, put: 0, head: 0, list: 2 });
  t.true(seen.every((request) => request.includes('/manifests/')));
});

test('an incremental of few blocks costs few requests, however large the volume', async (t) => {
  for (const blockCount of [600, 60_000]) {
    const lab = await CloudsnapLab.open();
    const image = new ModelImage(blockCount);
    for (const block of [0, 300, blockCount - 1]) {
      image.write(block, seededRandom(block).bytes(BLOCK));
    }
    const full = await lab.upload(image, null, image.dirty);
    image.dirty.clear();
    image.write(300, seededRandom(0).bytes(BLOCK));
    const requests = requestsSince(lab);
    await lab.backUp(image, full);
    // Listing; parent's root and page; the owner's record looked for, before it begins and before
    // it publishes, and the parent's tombstone; open, pack, index, root, manifest.
    t.deepEqual(requests(), { get: 2, put: 5, head: 3, list: 1 });
  }
});
