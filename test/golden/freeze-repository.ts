import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sha256Hex } from '../../src/base/sha256.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { BLOCK, CloudsnapLab, ModelImage, type LabOptions } from '../cloudsnap/cloudsnap-lab.ts';

export const json = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`;

/** What is there is never written again. */
export async function freezeFile(path: string, bytes: Uint8Array | string): Promise<void> {
  if (existsSync(path)) return;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
  console.log(`wrote ${path}`);
}

/**
 * A whole repository: a full, an incremental with trimmed and changed blocks, and one of a volume
 * that grew.
 */
export async function freezeRepository(folder: string, options: LabOptions = {}): Promise<void> {
  if (existsSync(join(folder, 'repository.json'))) return;
  const freeze = (name: string, bytes: Uint8Array | string) =>
    freezeFile(join(folder, name), bytes);
  const lab = await CloudsnapLab.open(options);
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
