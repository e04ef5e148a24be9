import type { FileHandle } from 'node:fs/promises';
import { hasCode } from '../base/errors.ts';
import {
  decodeRecord,
  recordBytes,
  RECORD_HEADER_BYTES,
  type JournalAttempt,
  type JournalHead,
  type JournalRecord,
} from '../format/upload-journal.ts';

/** A pack that had arrived, and where its record stands in the journal. */
export interface PackPlace {
  readonly packId: string;
  readonly packBytes: number;
  readonly firstBlock: number;
  readonly lastBlock: number;
  readonly position: number;
  readonly lengthBytes: number;
}

export interface FoundJournal {
  readonly head: JournalHead;
  readonly attempts: readonly JournalAttempt[];
  readonly packs: readonly PackPlace[];
  /** Where the whole records end. */
  readonly lengthBytes: number;
}

/** Read at once; most records have 10 KiB. */
const WINDOW_BYTES = 1 << 20;

/**
 * Reads an upload journal to its end, or to the first record that is not whole. Of packs it keeps
 * where they stand, some hundred bytes each, whatever they hold.
 * @returns undefined when it does not even have a head and an attempt.
 */
export async function scanJournal(
  file: FileHandle,
  maxBytes: number,
): Promise<FoundJournal | undefined> {
  const { size } = await file.stat();
  const window = new FileWindow(file, Math.min(size, maxBytes));
  const attempts: JournalAttempt[] = [];
  const packs: PackPlace[] = [];
  let head: JournalHead | undefined;
  let position = 0;
  for (;;) {
    const bytes = await wholeRecord(window, position);
    const record = bytes && decoded(bytes, head);
    if (!record) break;
    if (record.kind === 'head') head = record.head;
    else if (record.kind === 'attempt') attempts.push(record.attempt);
    else {
      const { packId, packBytes, frames } = record.pack;
      const [firstBlock = 0, lastBlock = 0] = [frames.blocks[0], frames.blocks.at(-1)];
      packs.push({ packId, packBytes, firstBlock, lastBlock, position, lengthBytes: bytes.length });
    }
    position += bytes.length;
  }
  if (!head || attempts.length === 0) return undefined;
  return { head, attempts, packs, lengthBytes: position };
}

/** undefined where the file ends before the record does, or where there is none. */
async function wholeRecord(window: FileWindow, position: number): Promise<Uint8Array | undefined> {
  const header = await window.at(position, RECORD_HEADER_BYTES);
  const length = header && orEnd(() => recordBytes(header));
  return length === undefined ? undefined : await window.at(position, length);
}

/** The head stands first and nowhere else. */
function decoded(bytes: Uint8Array, head: JournalHead | undefined): JournalRecord | undefined {
  const record = orEnd(() => decodeRecord(bytes));
  if (!record || (record.kind === 'head') === (head !== undefined)) return undefined;
  if (record.kind !== 'pack' || !head) return record;
  const lastBlock = record.pack.frames.blocks.at(-1) ?? 0;
  return lastBlock < head.blockCount ? record : undefined;
}

/** A record that is not whole is the end: it was being written when the host died. */
function orEnd<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (hasCode(error, 'format/corrupt')) return undefined;
    throw error;
  }
}

/** A part of a file in memory. */
class FileWindow {
  readonly #file: FileHandle;
  readonly #size: number;
  #start = 0;
  #bytes: Uint8Array = new Uint8Array();

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.#size = size;
  }

  /** undefined when the file ends before. */
  async at(position: number, length: number): Promise<Uint8Array | undefined> {
    if (position + length > this.#size) return undefined;
    const inWindow = position - this.#start;
    if (inWindow < 0 || inWindow + length > this.#bytes.length) {
      const wanted = Math.min(Math.max(length, WINDOW_BYTES), this.#size - position);
      const { bytesRead, buffer } = await this.#file.read(
        new Uint8Array(wanted),
        0,
        wanted,
        position,
      );
      this.#start = position;
      this.#bytes = buffer.subarray(0, bytesRead);
      if (bytesRead < length) return undefined;
      return this.#bytes.subarray(0, length);
    }
    return this.#bytes.subarray(inWindow, inWindow + length);
  }
}
