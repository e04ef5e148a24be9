/**
 * Writes what the benchmark backs up, the same for the same seed, in a process of its own:
 *
 *   image-program.ts fill FILE BYTES                every other 64 MiB: half random, half text
 *   image-program.ts change FILE BYTES BLOCKS SEED  that many scattered blocks of 64 KiB
 */
import { createCipheriv, hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { seededRandom } from '../../src/base/seeded-random.ts';

const BLOCK_BYTES = 64 << 10;
const PIECE_BYTES = 1 << 20;
/** Written and left out in turn, so that the image is sparse and not only short. */
const REGION_BYTES = 64 << 20;
const WORDS = 1024;

const [verb, path = '', bytes = '', blocks = '', seed = ''] = process.argv.slice(2);
const file = await open(path, 'r+');
try {
  if (verb === 'fill') await fill(file, Number(bytes));
  else await change(file, Number(bytes) / BLOCK_BYTES, Number(blocks), Number(seed));
  await file.sync();
} finally {
  await file.close();
}

async function fill(target: FileHandle, length: number): Promise<void> {
  const text = textMaker();
  for (let region = 0; region < length; region += 2 * REGION_BYTES) {
    for (let offset = region; offset < region + REGION_BYTES; offset += 2 * PIECE_BYTES) {
      await target.write(randomBytes(`fill ${offset}`, PIECE_BYTES), 0, PIECE_BYTES, offset);
      await target.write(text(`fill ${offset}`), 0, PIECE_BYTES, offset + PIECE_BYTES);
    }
  }
}

async function change(target: FileHandle, all: number, count: number, from: number) {
  const random = seededRandom(from);
  const chosen = new Set<number>();
  while (chosen.size < count) chosen.add(random.below(all));
  const text = textMaker();
  let turn = 0;
  for (const block of [...chosen].sort((a, b) => a - b)) {
    const name = `change ${from} ${block}`;
    const content = turn++ % 2 === 0 ? randomBytes(name, BLOCK_BYTES) : text(name);
    await target.write(content, 0, BLOCK_BYTES, block * BLOCK_BYTES);
  }
}

function randomBytes(name: string, length: number): Buffer {
  const key = hash('sha256', name, 'buffer').subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** Words drawn at random: zstd -1 makes about a third of them. */
function textMaker(): (name: string) => Buffer {
  const random = seededRandom(1);
  const words = Array.from({ length: WORDS }, () => {
    const letters = Array.from({ length: 3 + random.below(8) }, () => 97 + random.below(26));
    return Buffer.from([...letters, 32]);
  });
  const text = Buffer.alloc(PIECE_BYTES);
  return (name) => {
    const draws = randomBytes(name, PIECE_BYTES / 2);
    let length = 0;
    for (let at = 0; length < PIECE_BYTES; at += 2) {
      const word = words[draws.readUInt16LE(at) % WORDS];
      if (word) length += word.copy(text, length);
    }
    return text;
  };
}
