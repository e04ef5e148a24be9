import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { CloudvolError } from '../base/errors.ts';
import type { FileEntry } from './file-entry.ts';
import { GuestProcess } from './guest-process.ts';
import type { WalkEnd, WalkLine, WalkOrder } from './walker/walk-order.ts';

const PROGRAM = join(import.meta.dirname, 'walker', `walk-program${extname(import.meta.filename)}`);

/**
 * Every file below a path of a mounted image, walked by a process of its own.
 * @returns how it ended
 * @throws CloudvolError `catalog/no-such-path`, `catalog/no-such-folder`, `catalog/unreadable`; the
 * signal's reason
 */
export async function* walkFiles(
  order: WalkOrder,
  cloudsnapId: string,
  signal: AbortSignal,
): AsyncGenerator<FileEntry, WalkEnd, undefined> {
  const walker = new GuestProcess(process.execPath, [PROGRAM, JSON.stringify(order)], signal);
  try {
    for await (const text of createInterface({ input: walker.stdout, crlfDelay: Infinity })) {
      const line = JSON.parse(text) as WalkLine;
      if ('end' in line) return line.end;
      if ('error' in line) throw walkError(line.error, cloudsnapId);
      yield line.entry;
    }
    signal.throwIfAborted();
    await walker.ended();
    throw walkError({ reason: 'failed', message: walker.words }, cloudsnapId);
  } finally {
    await walker.end();
  }
}

function walkError(
  { reason, message }: Extract<WalkLine, { error: unknown }>['error'],
  cloudsnapId: string,
): CloudvolError {
  if (reason === 'no-such-path') {
    return new CloudvolError('catalog/no-such-path', `${message} in ${cloudsnapId}`, {
      hint: 'cloudvol cloudsnap catalog lists what there is, folder by folder with --path',
    });
  }
  if (reason === 'not-a-folder') {
    return new CloudvolError('catalog/no-such-folder', `in ${cloudsnapId}, ${message}`, {
      hint: 'name the folder itself: links are not followed',
    });
  }
  return unreadable(cloudsnapId, message);
}

export function unreadable(cloudsnapId: string, words: string): CloudvolError {
  const message = `the files in ${cloudsnapId} cannot be read: ${words}`;
  return new CloudvolError('catalog/unreadable', message, {
    hint: 'verify it (cloudvol cloudsnap verify), or restore it and check its file system (fsck)',
  });
}
