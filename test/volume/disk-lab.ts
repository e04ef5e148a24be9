import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { systemClock } from '../../src/base/clock.ts';
import type { Extent } from '../../src/base/extent.ts';
import { createLog } from '../../src/base/log.ts';
import type { BackingRecord } from '../../src/format/volume-state.ts';
import { loadNative } from '../../src/native.ts';
import type { BackingSource, FetchedRun, FetchOptions } from '../../src/volume/backing-source.ts';
import type { Frontend } from '../../src/volume/frontend.ts';
import type { NewVolume } from '../../src/volume/initial-volume-state.ts';
import { VolumeCatalog, type VolumeCatalogDeps } from '../../src/volume/volume-catalog.ts';
import type { Volume } from '../../src/volume/volume.ts';

/** For volumes that are used through their own door only. */
const noFrontend: Frontend = {
  kind: 'none',
  attach: () => Promise.reject(new Error('this test attaches nothing')),
  cleanUp: () => Promise.resolve(),
};

export const BACKING: BackingRecord = { credentialId: 'k', cloudsnapId: 'c/1-1', hydrate: false };

/** State and live directories of an agent, and what comes and goes between its lives. */
export class DiskLab {
  readonly stateDir: string;
  readonly liveDir: string;
  /** What volumes that are opened with absent blocks are given. */
  source: BackingSource | undefined;
  bootId = 'boot-1';
  readonly #lines: string[] = [];

  constructor(t: ExecutionContext) {
    this.stateDir = mkdtempSync(join(realpathSync(tmpdir()), 'cloudvol-disk-'));
    this.liveDir = mkdtempSync('/dev/shm/cloudvol-live-');
    t.teardown(() => {
      for (const path of [this.stateDir, this.liveDir]) {
        rmSync(path, { recursive: true, force: true });
      }
      if (!t.passed) t.log(this.#lines.join('\n'));
    });
  }

  /** What was logged, one JSON line per event. */
  get log(): string {
    return this.#lines.join('\n');
  }

  deps(changes: Partial<VolumeCatalogDeps> = {}): VolumeCatalogDeps {
    return {
      stateDir: this.stateDir,
      liveDir: this.liveDir,
      native: loadNative(),
      frontend: noFrontend,
      bootId: this.bootId,
      maxSideBytes: 2 ** 40,
      clock: systemClock,
      log: createLog((line) => this.#lines.push(line)),
      openBacking: () => {
        if (!this.source) throw new Error('this test has no source');
        return this.source;
      },
      ...changes,
    };
  }

  open(changes: Partial<VolumeCatalogDeps> = {}): Promise<VolumeCatalog> {
    return VolumeCatalog.open(this.deps(changes));
  }

  /** A power cut, once the catalog is forgotten: memory is gone, and another boot follows. */
  cutPower(): void {
    rmSync(this.liveDir, { recursive: true, force: true });
    this.bootId = `${this.bootId}+`;
  }
}

export function newVolume(sizeBytes: number, blockBytes = 4096, name = 'v'): NewVolume {
  return { name, sizeBytes, blockBytes, fileSystem: 'none', labels: {} };
}

export async function readAll(volume: Volume): Promise<Uint8Array> {
  const bytes = new Uint8Array(volume.geometry.sizeBytes);
  await volume.read(0, bytes);
  return bytes;
}

/** Absent blocks from an image, each call a little later, as long as nothing is in the way. */
export class ImageSource implements BackingSource {
  readonly image: Uint8Array;
  readonly #blockBytes: number;
  readonly requests: (Extent & FetchOptions)[] = [];
  /** Thrown by every call while it is set. */
  fault: Error | undefined;
  isClosed = false;

  constructor(image: Uint8Array, blockBytes: number) {
    this.image = image;
    this.#blockBytes = blockBytes;
  }

  async readBlocks(extent: Extent, options: FetchOptions): Promise<readonly FetchedRun[]> {
    this.requests.push({ ...extent, ...options });
    // Others get their turn in between, as they do while a store answers.
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    if (this.fault) throw this.fault;
    if (this.isClosed) throw new Error('the source is closed');
    return Array.from({ length: extent.blockCount }, (_, i) => this.#run(extent.firstBlock + i));
  }

  #run(firstBlock: number): FetchedRun {
    const start = firstBlock * this.#blockBytes;
    const data = this.image.slice(start, start + this.#blockBytes);
    const isZero = data.every((byte) => byte === 0);
    return { firstBlock, blockCount: 1, ...(isZero ? {} : { data }) };
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}
