import type { FileHandle } from 'node:fs/promises';

/**
 * The open folders from the root down to one of them: what must reach the disk for a new name in
 * the last to last.
 */
export class FolderChain {
  readonly #folders: FileHandle[];

  constructor(root: FileHandle) {
    this.#folders = [root];
  }

  get leaf(): FileHandle {
    // There is always the root.
    return this.#folders.at(-1)!;
  }

  push(folder: FileHandle): void {
    this.#folders.push(folder);
  }

  /**
   * Makes every name on the way durable. All of them each time, also those that were there before:
   * another writer may have made a folder a moment ago and not have come to its fsync. Measured on
   * ext4: about 0.2 ms for a clean folder, against 1–15 ms for the object itself.
   */
  async sync(): Promise<void> {
    await Promise.all(this.#folders.map((folder) => folder.sync()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#folders.map((folder) => folder.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
