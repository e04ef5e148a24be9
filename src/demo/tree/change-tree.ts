import {
  appendFileSync,
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { seededRandom } from '../../base/seeded-random.ts';
import { findFiles, type FoundFile } from './find-files.ts';

/** How many files each kind of change took. */
export interface Changes {
  readonly overwritten: number;
  readonly appended: number;
  readonly added: number;
  readonly deleted: number;
  readonly renamed: number;
  readonly bytes: number;
}

const OVERWRITTEN = 24;
const APPENDED = 40;
const ADDED = 30;
const DELETED = 60;
const RENAMED = 20;
const REMODED = 20;
const MAX_PATCH_BYTES = 128 << 10;
const MAX_ADDED_BYTES = 512 << 10;
/** Smaller files would be rewritten as a whole: the patch is to lie in the middle. */
const LARGE_FILE_BYTES = 1 << 20;

/**
 * Changes a tree as people and programs do: a little everywhere. The same seed, the same changes.
 */
export function changeTree(root: string, seed: number): Changes {
  const random = seededRandom(seed);
  const files = findFiles([{ path: root, limitBytes: Infinity }], Infinity).filter(
    ({ sizeBytes }) => sizeBytes > 0,
  );
  let bytes = 0;
  const count = (content: Uint8Array) => {
    bytes += content.length;
    return content;
  };
  /** Takes files away from the rest, so that no file is changed twice. */
  const pick = (wanted: number, suits: (file: FoundFile) => boolean = () => true): string[] => {
    const picked: string[] = [];
    for (
      let tries = 0;
      tries < 50 * wanted && picked.length < wanted && files.length > 0;
      tries++
    ) {
      const index = random.below(files.length);
      const file = files[index];
      if (file && suits(file)) picked.push(...files.splice(index, 1).map(({ path }) => path));
    }
    return picked;
  };
  const added = join(root, `added-${seed}`);
  mkdirSync(added);
  const overwritten = pick(OVERWRITTEN, ({ sizeBytes }) => sizeBytes >= LARGE_FILE_BYTES);
  for (const path of overwritten) {
    patch(
      path,
      random.below(LARGE_FILE_BYTES / 2),
      count(random.bytes(1 + random.below(MAX_PATCH_BYTES))),
    );
  }
  const appended = pick(APPENDED);
  for (const path of appended) appendFileSync(path, count(random.bytes(1 + random.below(4096))));
  for (let index = 0; index < ADDED; index++) {
    const content = count(random.bytes(1 + random.below(MAX_ADDED_BYTES)));
    writeFileSync(join(added, `file-${index}`), content, { mode: 0o640 });
  }
  symlinkSync('file-0', join(added, 'link'));
  const deleted = pick(DELETED);
  for (const path of deleted) rmSync(path);
  const renamed = pick(RENAMED);
  for (const [index, path] of renamed.entries()) renameSync(path, join(added, `renamed-${index}`));
  for (const path of pick(REMODED)) chmodSync(path, 0o600);
  return {
    overwritten: overwritten.length,
    appended: appended.length,
    added: ADDED,
    deleted: deleted.length,
    renamed: renamed.length,
    bytes,
  };
}

function patch(path: string, offset: number, content: Uint8Array): void {
  const file = openSync(path, 'r+');
  try {
    writeSync(file, content, 0, content.length, offset);
  } finally {
    closeSync(file);
  }
}
