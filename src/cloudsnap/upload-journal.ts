import { constants } from 'node:fs';
import { mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import { fsyncDirectory } from '../base/fsync-directory.ts';
import { Limiter } from '../base/limiter.ts';
import type { Log } from '../base/log.ts';
import { corrupt } from '../format/corrupt.ts';
import type { FrameTable } from '../format/pack-record.ts';
import {
  decodeRecord,
  encodeAttempt,
  encodeHead,
  encodeRecord,
  type JournalAttempt,
  type JournalHead,
} from '../format/upload-journal.ts';
import { scanJournal, type FoundJournal, type PackPlace } from './scan-journal.ts';

/**
 * Some 40 bytes per block: the blocks of 1.5 TiB at the default block size. Packs beyond that are
 * not written down; after a cut they are uploaded again.
 */
export const MAX_JOURNAL_BYTES = 1 << 30;

/** It names hosts and holds hashes of data: for its owner only. */
const MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/**
 * What has arrived of an upload that is not committed yet, in a local file. It serves the upload
 * and never stands in its way: where it cannot be written, the upload goes on without it, and after
 * a cut it begins further back. Nothing in it is believed without a look at the store.
 *
 * One object is the only writer of its file.
 */
export class UploadJournal {
  readonly head: JournalHead;
  /** Those that began before this one. */
  readonly attempts: readonly JournalAttempt[];
  /** Packs that had arrived before this attempt, in the order of their arrival. */
  readonly packs: readonly PackPlace[];
  readonly #path: string;
  readonly #log: Log;
  readonly #turn = new Limiter(1);
  /** Undefined for a new one until its first pack, and at the end. */
  #file: FileHandle | undefined;
  #length: number;
  #unwritten: JournalAttempt | undefined;
  #storedBytes: number;
  #isWritable = true;

  private constructor(path: string, log: Log, found: FoundJournal, file?: FileHandle) {
    this.#path = path;
    this.#log = log;
    this.head = found.head;
    this.attempts = found.attempts;
    this.packs = found.packs;
    this.#length = found.lengthBytes;
    this.#storedBytes = found.packs.reduce((sum, { packBytes }) => sum + packBytes, 0);
    this.#file = file;
  }

  /** One that begins with the upload. There is no file before its first pack has arrived. */
  static create(path: string, log: Log, head: JournalHead, attempt: JournalAttempt): UploadJournal {
    const nothing = { head, attempts: [], packs: [], lengthBytes: 0 };
    const journal = new UploadJournal(path, log, nothing);
    journal.#unwritten = attempt;
    return journal;
  }

  /** One that an earlier upload has left; undefined when there is none that can be used. */
  static async find(path: string, log: Log): Promise<UploadJournal | undefined> {
    let file: FileHandle | undefined;
    try {
      file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
      const found = await scanJournal(file, MAX_JOURNAL_BYTES);
      if (found) return new UploadJournal(path, log, found, file);
      await file.close();
    } catch (error) {
      await file?.close();
      if (errnoOf(error) === undefined) throw error;
      if (errnoOf(error) !== 'ENOENT') log.warn('upload-journal.not-read', { path, error });
    }
    return undefined;
  }

  /** Bytes of the packs that it vouches for. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  /**
   * Cuts off what was torn and notes that the upload goes on; durable when it resolves.
   * @returns false when that cannot be written: then it must not go on.
   */
  async goOn(attempt: JournalAttempt): Promise<boolean> {
    const length = this.#length;
    await this.#write(encodeAttempt(attempt), async (file) => file.truncate(length));
    return this.#isWritable;
  }

  /** @param body of a PackRecord. Durable when it resolves, or given up. Never rejects. */
  async append(body: Uint8Array, packBytes: number): Promise<void> {
    await this.#write(encodeRecord('pack', body));
    if (this.#isWritable) this.#storedBytes += packBytes;
  }

  /** @throws CloudvolError `format/corrupt` when the file has changed since it was found. */
  async frames({ packId, position, lengthBytes }: PackPlace): Promise<FrameTable> {
    const bytes = new Uint8Array(lengthBytes);
    const read = await this.#file?.read(bytes, 0, lengthBytes, position);
    const record = decodeRecord(bytes.subarray(0, read?.bytesRead ?? 0));
    if (record.kind === 'pack' && record.pack.packId === packId) return record.pack.frames;
    throw corrupt(`the upload journal ${this.#path} has another pack than before`);
  }

  /** It stays for the upload that goes on. Never throws. */
  async close(): Promise<void> {
    await this.#turn.run(async () => {
      this.#isWritable = false;
      const file = this.#file;
      this.#file = undefined;
      // What was appended is synced: a close has nothing left to report.
      await file?.close().catch(() => {});
    });
  }

  /** Nobody goes on with it. Never throws. */
  async remove(): Promise<void> {
    await this.close();
    this.#storedBytes = 0;
    await removeJournal(this.#path, this.#log);
  }

  async #write(record: Uint8Array, first?: (file: FileHandle) => Promise<void>): Promise<void> {
    await this.#turn.run(async () => {
      if (!this.#isWritable) return;
      try {
        const file = await this.#open();
        await first?.(file);
        if (this.#length + record.length > MAX_JOURNAL_BYTES) throw new Error('it is full');
        await file.write(record, 0, record.length, this.#length);
        await file.datasync();
        this.#length += record.length;
      } catch (error) {
        // For good: what comes after a record that may be torn would not be found.
        this.#isWritable = false;
        this.#log.warn('upload-journal.not-written', { path: this.#path, error });
      }
    });
  }

  async #open(): Promise<FileHandle> {
    if (this.#file) return this.#file;
    const directory = dirname(this.#path);
    await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
    const { O_RDWR, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
    const file = await open(this.#path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, MODE);
    this.#file = file;
    const head = encodeHead(this.head);
    const attempt = this.#unwritten ? encodeAttempt(this.#unwritten) : new Uint8Array();
    await file.write(Buffer.concat([head, attempt]), 0);
    this.#length = head.length + attempt.length;
    await fsyncDirectory(directory);
    await fsyncDirectory(dirname(directory));
    return file;
  }
}

/** Also one that nobody can read. Never throws: what stays does not fit the next upload. */
export async function removeJournal(path: string, log: Log): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    log.warn('upload-journal.not-removed', { path, error });
  }
}
