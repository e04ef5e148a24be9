/**
 * Freezes samples of format version 1 in test/golden/format-v1. Run once for each sample: what is
 * there is never written again, since the test beside this is about bytes that older programs
 * wrote. For a new kind of sample add it below.
 *
 *   bin/node test/golden/write-format-v1.ts
 */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sha256Hex } from '../../src/base/sha256.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { encodeIndexPage } from '../../src/format/index-page-codec.ts';
import { encodeIndexRoot } from '../../src/format/index-root-codec.ts';
import { encodeManifest } from '../../src/format/manifest-codec.ts';
import { BLOCK, CloudsnapLab, ModelImage } from '../cloudsnap/cloudsnap-lab.ts';
import { MANIFEST, SNAP_NAMES, randomPage, randomRoot } from '../format/samples.ts';
import { describePage, describeRoot } from './describe.ts';

const FOLDER = join(import.meta.dirname, 'format-v1');

async function freeze(name: string, bytes: Uint8Array | string): Promise<void> {
  const path = join(FOLDER, name);
  if (existsSync(path)) return;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
  console.log(`wrote ${name}`);
}

const json = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`;

async function freezeRecords(): Promise<void> {
  const page = randomPage(seededRandom(2), BLOCK);
  const [, snapName] = SNAP_NAMES;
  await freeze('index-page', encodeIndexPage(page, { snapName, pageNumber: 4711 }));
  await freeze('index-page.json', json(describePage(page)));
  const root = randomRoot(seededRandom(3), 30_000);
  await freeze('root', encodeIndexRoot(root, snapName));
  await freeze('root.json', json(describeRoot(root)));
  await freeze('manifest', encodeManifest(MANIFEST));
  await freeze('manifest.json', json(MANIFEST));
}

/**
 * A whole repository: a full, an incremental with trimmed and changed blocks, and one of a volume
 * that grew.
 */
async function freezeRepository(): Promise<void> {
  if (existsSync(join(FOLDER, 'repository.json'))) return;
  const lab = await CloudsnapLab.open();
  const random = seededRandom(4);
  const image = new ModelImage(300);
  const points = [];
  for (let point = 0; point < 3; point++) {
    if (point === 2) image.grow(600);
    for (let i = 0; i < 4; i++) {
      image.write(random.below(image.geometry.blockCount), random.bytes(BLOCK));
      image.write(random.below(image.geometry.blockCount), new Uint8Array(BLOCK).fill(i + 1));
    }
    if (point === 1) image.write([...image.dirty][0]!, new Uint8Array(BLOCK));
    const entry = await lab.backUp(image, points.at(-1)?.entry ?? null);
    points.push({ entry, imageSha256: sha256Hex(image.bytes) });
  }
  for await (const { key } of lab.disk.list('')) {
    await freeze(`repository/${key}`, await lab.disk.get(key));
  }
  await freeze('repository.json', json({ clusterId: lab.clusterId, points }));
}

await freezeRecords();
await freezeRepository();
