import type { ClusterId, VolumeId } from '../../src/base/ids.ts';
import type { SeededRandom } from '../../src/base/seeded-random.ts';
import { FRAME_HEADER_BYTES, FRAME_RAW, FRAME_ZSTD } from '../../src/format/frame.ts';
import { IndexPage, PAGE_BLOCKS, type PackRef } from '../../src/format/index-page.ts';
import { IndexRoot } from '../../src/format/index-root.ts';
import type { Manifest } from '../../src/format/manifest.ts';
import { PACK_HEADER_BYTES } from '../../src/format/pack.ts';

export const VOLUME = '590114184663672482' as VolumeId;
export const SNAP_NAMES = [
  `${VOLUME}-712345678`,
  `${VOLUME}-800000001-incr`,
  `${VOLUME}-999999999-incr`,
] as const;

export const CLUSTER = '2e4d4b67-95d7-481e-aec5-14223ac55170' as ClusterId;

export function randomHex(random: SeededRandom, bytes: number): string {
  return Buffer.from(random.bytes(bytes)).toString('hex');
}

/** A page whose blocks lie in up to three packs, with zeros and gaps between them. */
export function randomPage(random: SeededRandom, blockBytes: number): IndexPage {
  const page = new IndexPage();
  const packs: { ref: PackRef; end: number }[] = SNAP_NAMES.map((snapName) => ({
    ref: { snapName, packId: randomHex(random, 16) },
    end: PACK_HEADER_BYTES,
  }));
  const density = random.next();
  for (let slot = 0; slot < PAGE_BLOCKS; slot++) {
    if (!random.chance(density)) continue;
    const pack = packs[random.below(packs.length)]!;
    const raw = random.chance(0.3);
    const payloadBytes = raw ? blockBytes : 1 + random.below(blockBytes - 1);
    const offsetBytes = pack.end + (random.chance(0.1) ? random.below(9000) : 0);
    page.set(slot, {
      pack: pack.ref,
      offsetBytes,
      payloadBytes,
      encoding: raw ? FRAME_RAW : FRAME_ZSTD,
    });
    page.setHashes(slot, random.bytes(32));
    pack.end = offsetBytes + FRAME_HEADER_BYTES + payloadBytes;
  }
  return page;
}

/** A root whose pages lie in objects of up to three cloudsnaps, or nowhere. */
export function randomRoot(random: SeededRandom, blockCount: number): IndexRoot {
  const root = new IndexRoot(65_536, blockCount);
  const objects = SNAP_NAMES.map((snapName, number) => ({
    ref: { snapName, number, lengthBytes: 8 << 20 },
    end: 0,
  }));
  for (let page = 0; page < root.pageCount; page++) {
    if (random.chance(0.3)) continue;
    const object = objects[random.below(objects.length)]!;
    const lengthBytes = 60 + random.below(9000);
    root.set(page, { object: object.ref, offsetBytes: object.end, lengthBytes });
    object.end += lengthBytes;
  }
  return root;
}

export const MANIFEST: Manifest = {
  formatVersion: 1,
  cloudsnapId: `${CLUSTER}/${SNAP_NAMES[1]}`,
  clusterId: CLUSTER,
  sequence: 8,
  parent: {
    cloudsnapId: `${CLUSTER}/${SNAP_NAMES[0]}`,
    manifestSha256: 'ab'.repeat(32),
  },
  incrementals: 1,
  fullReason: null,
  volume: {
    id: VOLUME,
    name: 'database',
    sizeBytes: 4 * 2 ** 30,
    blockBytes: 65_536,
    fileSystem: 'ext4',
    labels: { ключ: 'Wert "quoted"', 10: 'ten', 9: 'nine', __proto__x: '' },
  },
  createdMs: 1_547_679_467_000,
  type: 'Manual',
  consistency: 'crash',
  root: { object: 'root', lengthBytes: 4711, sha256: 'cd'.repeat(32) },
  statistics: {
    plannedBlocks: 640,
    zeroBlocks: 100,
    unchangedBlocks: 200,
    uploadedBlocks: 340,
    uploadedPlainBytes: 340 * 65_536,
    storedBytes: 9_000_000,
    packs: 1,
  },
};
