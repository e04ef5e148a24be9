/**
 * Walks a mounted image in a process of its own, which may hang or die for what it meets there.
 * The order is one JSON argument; the answer one JSON per line: the entries, then how it ended.
 */
import { messageOf } from '../../base/errors.ts';
import { WalkError } from './walk-error.ts';
import type { WalkEnd, WalkLine, WalkOrder } from './walk-order.ts';
import { walkTree } from './walk-tree.ts';

/** A pipe takes 64 KiB; more lines at a time cost fewer turns. */
const CHUNK_CHARACTERS = 32 << 10;

async function walk({ max, ...options }: WalkOrder): Promise<WalkEnd> {
  let entries = 0;
  let text = '';
  try {
    for await (const entry of walkTree(options)) {
      if (entries === max) return { entries, isTruncated: true };
      entries++;
      text += `${JSON.stringify({ entry } satisfies WalkLine)}\n`;
      if (text.length < CHUNK_CHARACTERS) continue;
      await print(text);
      text = '';
    }
    return { entries, isTruncated: false };
  } finally {
    await print(text);
  }
}

function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

async function lastLine(): Promise<WalkLine> {
  try {
    return { end: await walk(JSON.parse(process.argv[2] ?? '') as WalkOrder) };
  } catch (error) {
    const reason = error instanceof WalkError ? error.reason : 'failed';
    return { error: { reason, message: messageOf(error) } };
  }
}

await print(`${JSON.stringify(await lastLine())}\n`);
// Names that were read ahead of a walk that ended early would keep it.
process.exit(0);
