import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import test from 'ava';
import { extentsOf } from '../../src/base/extent.ts';
import { geometryOf } from '../../src/base/geometry.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import type { Image } from '../../src/catalog/image.ts';
import { packWholeDisk, wholeDiskEntry } from '../../src/catalog/whole-disk.ts';
import { ImageSource } from '../volume/disk-lab.ts';

const BLOCK = 4096;
const { signal } = new AbortController();

function imageOf(blocks: readonly number[], blockCount: number): Image & { bytes: Uint8Array } {
  const random = seededRandom(7);
  const bytes = new Uint8Array(blockCount * BLOCK);
  for (const block of blocks) bytes.set(random.bytes(BLOCK), block * BLOCK);
  return {
    bytes,
    cloudsnapId: 'c/1-1',
    volumeName: 'raw',
    fileSystem: 'none',
    createdMs: Date.UTC(2026, 1, 3, 4, 5, 6, 789),
    geometry: geometryOf(blockCount * BLOCK, BLOCK),
    source: new ImageSource(bytes, BLOCK),
    async *dataExtents() {
      yield* extentsOf(blocks);
    },
  };
}

for (const [title, blocks] of [
  ['nothing', []],
  ['one block', [5]],
  ['the ends and a long run', [0, 600, ...Array.from({ length: 3000 }, (_, i) => 1000 + i), 4999]],
] as const) {
  test(`tar unpacks a disk that holds ${title} as it was, with its holes`, async (t) => {
    const image = imageOf(blocks, 5000);
    const directory = mkdtempSync(join(tmpdir(), 'cloudvol-disk-tar-'));
    t.teardown(() => rmSync(directory, { recursive: true, force: true }));
    const archive = join(directory, 'archive');
    writeFileSync(archive, await buffer(packWholeDisk(image, signal)));
    execFileSync('tar', ['-xf', archive, '-C', directory]);
    const file = join(directory, 'volume.img');
    t.true(Buffer.from(image.bytes).equals(readFileSync(file)));
    const stats = statSync(file);
    t.is(stats.mtimeMs, image.createdMs);
    t.is(stats.mode & 0o777, 0o600);
    t.true(stats.blocks * 512 < image.bytes.length, `${stats.blocks} blocks`);
  });
}

test('a disk is one file, and nothing else', (t) => {
  const image = imageOf([], 10);
  for (const names of [[], ['volume.img']]) {
    t.is(wholeDiskEntry(image, names).path, '/volume.img');
    t.is(wholeDiskEntry(image, names).sizeBytes, 10 * BLOCK);
  }
  t.throws(() => wholeDiskEntry(image, ['etc', 'passwd']), {
    code: 'catalog/no-such-path',
    message: 'there is no /etc/passwd in c/1-1, only /volume.img',
  });
});
