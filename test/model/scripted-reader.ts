import { endBlock, type Extent } from '../../src/base/extent.ts';
import { geometryOf, type Geometry } from '../../src/base/geometry.ts';
import type {
  CloudsnapEntry,
  CloudsnapReader,
  CloudsnapRepository,
  Manifest,
  ReadRun,
} from '../../src/cloudsnap/cloudsnap-api.ts';

/** One call of readBlocks that waits for the test's word. */
export interface ScriptedRequest {
  readonly extent: Extent;
  readonly signal: AbortSignal | undefined;
  /** Answers with what belongs there, or with these runs. */
  answer(runs?: readonly ReadRun[]): void;
  fail(error: Error): void;
}

/** A cloudsnap whose every request is answered by the test, in the order that it likes. */
export class ScriptedReader implements CloudsnapReader {
  readonly geometry: Geometry;
  readonly manifest = { cloudsnapId: 'scripted/1-1' } as Manifest;
  readonly requests: ScriptedRequest[] = [];
  readonly #watchers = new Set<() => void>();
  closed = false;

  constructor(blockCount = 1024, blockBytes = 4096) {
    this.geometry = geometryOf(blockCount * blockBytes, blockBytes);
  }

  /** What a block holds: its number in every four bytes. */
  content(extent: Extent): Uint8Array {
    const words = this.geometry.blockBytes / 4;
    const blocks = Uint32Array.from(
      { length: extent.blockCount * words },
      (_, i) => extent.firstBlock + Math.floor(i / words),
    );
    return new Uint8Array(blocks.buffer);
  }

  readBlocks(extent: Extent, signal?: AbortSignal): Promise<readonly ReadRun[]> {
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      const own = () => [{ ...extent, data: this.content(extent) }];
      this.requests.push({
        extent,
        signal,
        answer: (runs) => resolve(runs ?? own()),
        fail: reject,
      });
      for (const watcher of this.#watchers) watcher();
    });
  }

  /** Resolves once `count` requests were made in all; the last of them. */
  async untilRequests(count: number): Promise<ScriptedRequest> {
    while (this.requests.length < count) {
      await new Promise<void>((resolve) => {
        const watcher = () => {
          this.#watchers.delete(watcher);
          resolve();
        };
        this.#watchers.add(watcher);
      });
    }
    return this.requests[count - 1] as ScriptedRequest;
  }

  async *dataExtents(): AsyncIterable<Extent> {
    yield { firstBlock: 0, blockCount: this.geometry.blockCount };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  /** A repository that holds this cloudsnap and nothing else. */
  get repository(): CloudsnapRepository {
    return { open: async () => this } as Partial<CloudsnapRepository> as CloudsnapRepository;
  }

  get entry(): CloudsnapEntry {
    return { manifest: this.manifest, manifestSha256: '' };
  }
}

/** The blocks of an extent, for readable comparisons. */
export function blocksOf(extent: Extent): string {
  return `${extent.firstBlock}-${endBlock(extent) - 1}`;
}
