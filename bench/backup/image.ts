import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Reaper } from '../../src/demo/reaper/reaper.ts';
import { runCommand } from '../../test/support/run-command.ts';

export const BLOCK_BYTES = 64 << 10;

/** A sparse file with the volume's content, for those who back up files. */
export class Image {
  readonly path: string;
  readonly sizeBytes: number;
  readonly #reaper: Reaper;

  private constructor(path: string, sizeBytes: number, reaper: Reaper) {
    this.path = path;
    this.sizeBytes = sizeBytes;
    this.#reaper = reaper;
  }

  /** Half of it is written, of that half is incompressible. */
  static async make(directory: string, sizeBytes: number, reaper: Reaper): Promise<Image> {
    const path = join(directory, 'image');
    await writeFile(path, '');
    await truncate(path, sizeBytes);
    const image = new Image(path, sizeBytes, reaper);
    await image.#program('fill', path, sizeBytes);
    return image;
  }

  /** Copies it to a volume, leaving out its holes. */
  async copyTo(volume: string): Promise<void> {
    const options = ['bs=1M', 'conv=sparse,notrunc', 'oflag=direct', 'status=none'];
    await runCommand(this.#reaper, 'dd', [`if=${this.path}`, `of=${volume}`, ...options]);
  }

  /** Changes the same blocks in the same way in any copy of it. */
  async changeIn(file: string, blocks: number, seed: number): Promise<void> {
    await this.#program('change', file, this.sizeBytes, blocks, seed);
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }

  #program(...args: readonly (string | number)[]): Promise<string> {
    const program = join(import.meta.dirname, 'image-program.ts');
    return runCommand(this.#reaper, process.execPath, [program, ...args.map(String)]);
  }
}

/** Takes files out of the page cache, so that who reads them reads the disk, as a volume does. */
export async function dropFromCache(reaper: Reaper, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    // dd(1): with nocache and count=0 it only asks the kernel to let go of the file.
    await runCommand(reaper, 'dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none']);
  }
}
