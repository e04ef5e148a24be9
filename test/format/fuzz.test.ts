import test from 'ava';
import { CloudvolError } from '../../src/base/errors.ts';
import { seededRandom, type SeededRandom } from '../../src/base/seeded-random.ts';
import {
  decodeIndexPage,
  decodePageRecord,
  encodeIndexPage,
  encodePageRecord,
} from '../../src/format/index-page-codec.ts';
import {
  decodeIndexRoot,
  decodeRootRecord,
  encodeIndexRoot,
  encodeRootRecord,
} from '../../src/format/index-root-codec.ts';
import { decodeManifest, encodeManifest } from '../../src/format/manifest-codec.ts';
import { encodePackHeader, walkPack } from '../../src/format/pack.ts';
import { codec } from '../../src/native.ts';
import { MANIFEST, SNAP_NAMES, VOLUME, randomPage, randomRoot } from './samples.ts';

const SEED = Number(process.env['CLOUDVOL_FUZZ_SEED'] ?? 20_240_601);
/** For each parser; seven of them make more than 20,000. CLOUDVOL_FUZZ_ROUNDS asks for more. */
const ROUNDS = Number(process.env['CLOUDVOL_FUZZ_ROUNDS'] ?? 3000);
const MAX_MEMORY_BYTES = 256 << 20;
const BLOCK = 4096;
const [snapName] = SNAP_NAMES;
const identity = { snapName, pageNumber: 3 };

/** Numbers that parsers stumble over. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff];

/** One to four changes: bytes set, bits flipped, parts cut out, doubled or overwritten. */
function mutate(random: SeededRandom, original: Uint8Array): Uint8Array {
  let bytes = new Uint8Array(original);
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    const at = random.below(bytes.length + 1);
    const length = random.below(Math.min(40, bytes.length - at + 1));
    const kinds = [
      () => bytes.fill(EDGES[random.below(EDGES.length)]!, at, at + 1 + random.below(4)),
      () => bytes.fill((bytes[at] ?? 0) ^ (1 << random.below(8)), at, at + 1),
      () => splice(bytes, at, length, new Uint8Array()),
      () => splice(bytes, at, 0, bytes.slice(at, at + length)),
      () => splice(bytes, at, length, random.bytes(length)),
      () => bytes.subarray(0, at),
    ];
    bytes = kinds[random.below(kinds.length)]!();
  }
  return bytes;
}

function splice(bytes: Uint8Array, at: number, removed: number, inserted: Uint8Array) {
  return Uint8Array.from([...bytes.subarray(0, at), ...inserted, ...bytes.subarray(at + removed)]);
}

interface Target {
  readonly samples: readonly Uint8Array[];
  /** Parses; returns a re-encoding of what it took, where there is one. */
  readonly parse: (bytes: Uint8Array) => Uint8Array | undefined;
  readonly codes?: readonly string[];
}

async function targets(): Promise<Record<string, Target>> {
  const random = seededRandom(SEED);
  const pages = [randomPage(random, BLOCK), randomPage(random, BLOCK)];
  const roots = [randomRoot(random, 3000), randomRoot(random, 40_000)];
  const source = random.bytes(3 * BLOCK);
  const { frames } = await codec().encodeBlocks({ source, blockBytes: BLOCK, firstBlock: 9 });
  const header = { packId: '0'.repeat(32), volumeId: VOLUME, blockBytes: BLOCK };
  return {
    manifest: {
      samples: [encodeManifest(MANIFEST)],
      parse: (bytes) => encodeManifest(decodeManifest(bytes)),
      codes: ['format/corrupt', 'format/unsupported'],
    },
    'sealed index page': {
      samples: pages.map((page) => encodeIndexPage(page, identity)),
      parse: (bytes) => void decodeIndexPage(bytes, identity, BLOCK),
    },
    'index page': {
      samples: pages.map((page) => encodePageRecord(page, identity)),
      parse: (bytes) => encodePageRecord(decodePageRecord(bytes, identity, BLOCK), identity),
    },
    'sealed root': {
      samples: roots.map((root) => encodeIndexRoot(root, snapName)),
      parse: (bytes) => void decodeIndexRoot(bytes, snapName),
    },
    root: {
      samples: roots.map((root) => encodeRootRecord(root, snapName)),
      parse: (bytes) => encodeRootRecord(decodeRootRecord(bytes, snapName), snapName),
    },
    pack: {
      samples: [new Uint8Array(Buffer.concat([encodePackHeader(header), frames]))],
      parse: (bytes) => void [...walkPack(bytes)],
    },
    'pack header': {
      samples: [encodePackHeader(header)],
      parse: (bytes) => void [...walkPack(bytes)],
    },
  };
}

test('mutated bytes are refused with format/corrupt, or mean exactly what they say', async (t) => {
  t.log(`seed ${SEED}, ${ROUNDS} rounds for each parser`);
  const before = process.memoryUsage().rss;
  let most = 0;
  for (const [name, { samples, parse, codes = ['format/corrupt'] }] of Object.entries(
    await targets(),
  )) {
    const random = seededRandom(SEED);
    let refused = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = mutate(random, samples[round % samples.length]!);
      try {
        const again = parse(bytes);
        if (again && Buffer.compare(again, bytes) !== 0)
          t.fail(`${name}, round ${round}: two forms`);
      } catch (error) {
        if (!(error instanceof CloudvolError) || !codes.includes(error.code)) {
          t.fail(
            `${name}, round ${round}: ${error instanceof Error ? error.stack : String(error)}`,
          );
          return;
        }
        refused++;
      }
      if (round % 500 === 0) most = Math.max(most, process.memoryUsage().rss - before);
    }
    t.true(refused > ROUNDS / 2, `${name}: ${refused} refused`);
  }
  t.true(most < MAX_MEMORY_BYTES, `${most} bytes`);
});

test('mutated frames are refused by the codec, or decode to the right block', async (t) => {
  const random = seededRandom(SEED);
  const source = random.bytes(2 * BLOCK);
  source.fill(7, 0, BLOCK - 100);
  const encoded = await codec().encodeBlocks({ source, blockBytes: BLOCK, firstBlock: 0 });
  const known = {
    blockBytes: BLOCK,
    offsets: encoded.offsets,
    blocks: Uint32Array.of(0, 1),
    payloadBytes: encoded.payloadBytes,
    encodings: encoded.outcomes,
    hashes: encoded.hashes,
    slots: Uint32Array.of(0, 1),
  };
  let refused = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const target = new Uint8Array(2 * BLOCK);
    try {
      await codec().decodeFrames({ ...known, source: mutate(random, encoded.frames), target });
      if (Buffer.compare(target, source) !== 0) t.fail(`round ${round}: wrong bytes`);
    } catch (error) {
      t.true(error instanceof Error && 'position' in error, String(error));
      refused++;
    }
  }
  t.true(refused > ROUNDS / 2);
});
