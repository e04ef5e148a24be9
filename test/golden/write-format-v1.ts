/**
 * Freezes samples of format version 1 in test/golden/format-v1. Run once for each sample: what is
 * there is never written again, since the test beside this is about bytes that older programs
 * wrote. For a new kind of sample add it below.
 *
 *   bin/node test/golden/write-format-v1.ts
 */
import { join } from 'node:path';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { encodeIndexPage } from '../../src/format/index-page-codec.ts';
import { encodeIndexRoot } from '../../src/format/index-root-codec.ts';
import { encodeManifest } from '../../src/format/manifest-codec.ts';
import { BLOCK } from '../cloudsnap/cloudsnap-lab.ts';
import { MANIFEST, SNAP_NAMES, randomPage, randomRoot } from '../format/samples.ts';
import { describePage, describeRoot } from './describe.ts';
import { freezeFile, freezeRepository, json } from './freeze-repository.ts';

const FOLDER = join(import.meta.dirname, 'format-v1');

const freeze = (name: string, bytes: Uint8Array | string) => freezeFile(join(FOLDER, name), bytes);

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

await freezeRecords();
await freezeRepository(FOLDER);
