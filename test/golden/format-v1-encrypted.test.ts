import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { ClusterId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { sha256Hex } from '../../src/base/sha256.ts';
import type { CloudsnapEntry } from '../../src/cloudsnap/cloudsnap-api.ts';
import { openRepository } from '../../src/cloudsnap/repository.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { BLOCK, contentOf } from '../cloudsnap/cloudsnap-lab.ts';
import { readBlock } from './independent-reader.ts';

/** An encrypted repository that an earlier program wrote; it is never written again. */
const FOLDER = join(import.meta.dirname, 'format-v1-encrypted');
/** In another form of Unicode than the one it was written with. */
const PASSPHRASE = 'frozen: pass phrase a\u0308';

interface Frozen {
  readonly clusterId: ClusterId;
  readonly points: readonly { readonly entry: CloudsnapEntry; readonly imageSha256: string }[];
}

async function frozen(): Promise<Frozen & { readonly objects: Map<string, Uint8Array> }> {
  const folder = join(FOLDER, 'repository');
  const objects = new Map<string, Uint8Array>();
  for (const found of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!found.isFile()) continue;
    const path = join(found.parentPath, found.name);
    objects.set(path.slice(folder.length + 1), await readFile(path));
  }
  const text = await readFile(join(FOLDER, 'repository.json'), 'utf8');
  return { ...(JSON.parse(text) as Frozen), objects };
}

test('the frozen encrypted repository lists and restores every point', async (t) => {
  const { clusterId, points, objects } = await frozen();
  const store = new MemoryStore();
  for (const [key, body] of objects) await store.put(key, body);
  const clock = new ManualClock();
  const options = { store, clusterId, log: silentLog, clock, passphrase: PASSPHRASE };
  const repository = await openRepository(options);
  t.deepEqual(
    await repository.list({}),
    points.map(({ entry }) => entry),
  );
  for (const { entry, imageSha256 } of points) {
    t.is(sha256Hex(await contentOf(repository, entry)), imageSha256);
  }
});

test('a reader that was written by the document alone reads every block of it', async (t) => {
  const { clusterId, points, objects } = await frozen();
  const { entry, imageSha256 } = points.at(-1)!;
  const { volume, sequence } = entry.manifest;
  const reader = readBlock(
    objects,
    { cluster: clusterId, volume: volume.id, sequence },
    PASSPHRASE,
  );
  const image = new Uint8Array(volume.sizeBytes);
  for (let block = 0; block < volume.sizeBytes / BLOCK; block++) {
    const content = reader(block);
    if (content) image.set(content, block * BLOCK);
  }
  t.is(sha256Hex(image), imageSha256);
});
