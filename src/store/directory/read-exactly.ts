import type { FileHandle } from 'node:fs/promises';
import type { ByteRange } from '../byte-range.ts';
import { storeError } from '../store-error.ts';

/**
 * Reads `length` bytes from `offset` on, however many calls it takes.
 * @throws `store/corrupt` when the file ends before: somebody cut it off behind the store's back.
 */
export async function readExactly(
  file: FileHandle,
  key: string,
  range: ByteRange,
): Promise<Uint8Array<ArrayBuffer>> {
  const body = new Uint8Array(range.length);
  for (let done = 0; done < range.length;) {
    const { bytesRead } = await file.read(body, done, range.length - done, range.offset + done);
    if (bytesRead === 0)
      throw storeError('store/corrupt', `${key} became shorter while it was read`);
    done += bytesRead;
  }
  return body;
}
