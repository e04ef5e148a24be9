import { extentsOf, type Extent } from '../../src/base/extent.ts';
import { geometryOf, type Geometry } from '../../src/base/geometry.ts';
import { newClusterId, newVolumeId, type ClusterId, type VolumeId } from '../../src/base/ids.ts';
import { silentLog, type Log } from '../../src/base/log.ts';
import type { SeededRandom } from '../../src/base/seeded-random.ts';
import type {
  CloudsnapEntry,
  CloudsnapPlan,
  CloudsnapReader,
  CloudsnapRepository,
} from '../../src/cloudsnap/cloudsnap-api.ts';
import { openRepository, type RepositoryOptions } from '../../src/cloudsnap/repository.ts';
import { FaultStore, type FaultPlan } from '../../src/store/layers/faults.ts';
import { MetricsStore } from '../../src/store/layers/metrics.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { ManualClock } from '../base/manual-clock.ts';

export const BLOCK = 4096;
const never = new AbortController().signal;

/** A volume as a model: its bytes, and the blocks that were written since the last cloudsnap. */
export class ModelImage {
  readonly id: VolumeId = newVolumeId();
  geometry: Geometry;
  bytes: Uint8Array;
  readonly dirty = new Set<number>();

  constructor(blockCount: number, blockBytes = BLOCK) {
    this.geometry = geometryOf(blockCount * blockBytes, blockBytes);
    this.bytes = new Uint8Array(this.geometry.sizeBytes);
  }

  write(block: number, content: Uint8Array): void {
    this.bytes.set(content, block * this.geometry.blockBytes);
    this.dirty.add(block);
  }

  block(block: number): Uint8Array {
    const { blockBytes } = this.geometry;
    return this.bytes.subarray(block * blockBytes, (block + 1) * blockBytes);
  }

  grow(blockCount: number): void {
    const { blockBytes } = this.geometry;
    const grown = new Uint8Array(blockCount * blockBytes);
    grown.set(this.bytes);
    this.bytes = grown;
    this.geometry = geometryOf(grown.length, blockBytes);
  }

  /** Zeros, noise, text, a copy of another block, or the same content again. */
  change(random: SeededRandom, changes: number): void {
    const { blockBytes, blockCount } = this.geometry;
    for (let i = 0; i < changes; i++) {
      const block = random.below(blockCount);
      const kinds = [
        () => new Uint8Array(blockBytes),
        () => random.bytes(blockBytes),
        () => new Uint8Array(blockBytes).fill(1 + random.below(255)),
        () => this.block(random.below(blockCount)).slice(),
        () => this.block(block).slice(),
      ];
      this.write(block, kinds[random.below(kinds.length)]!());
    }
  }
}

export interface LabOptions {
  readonly disk?: MemoryStore;
  readonly faults?: FaultPlan;
  readonly log?: Log;
  /** Makes an encrypted repository. */
  readonly passphrase?: string;
}

/**
 * A repository on a memory store, with everything between them that a test wants to see or to
 * break.
 */
export class CloudsnapLab {
  readonly disk: MemoryStore;
  readonly metrics: MetricsStore;
  readonly store: FaultStore;
  readonly clock = new ManualClock();
  readonly clusterId: ClusterId = newClusterId();
  readonly log: Log;
  readonly passphrase: string | undefined;
  repository!: CloudsnapRepository;
  faults: FaultPlan;

  private constructor({
    disk = new MemoryStore(),
    faults,
    log = silentLog,
    passphrase,
  }: LabOptions) {
    this.passphrase = passphrase;
    this.disk = disk;
    this.metrics = new MetricsStore(disk);
    this.faults = faults ?? (() => ({ kind: 'none' }));
    this.log = log;
    const plan: FaultPlan = (request) => this.faults(request);
    this.store = new FaultStore(this.metrics, { plan, clock: this.clock });
  }

  static async open(options: LabOptions = {}): Promise<CloudsnapLab> {
    const lab = new CloudsnapLab(options);
    lab.repository = await lab.another();
    return lab;
  }

  /** A repository on the same store that remembers nothing. */
  another(options: Partial<RepositoryOptions> = {}): Promise<CloudsnapRepository> {
    const { store, clusterId, log, clock, passphrase } = this;
    const ours = { store, clusterId, log, clock };
    return openRepository({
      ...(passphrase === undefined ? ours : { ...ours, passphrase }),
      ...options,
    });
  }

  plan(image: ModelImage, parent: CloudsnapEntry | null, blocks: Iterable<number>): CloudsnapPlan {
    return {
      volume: {
        id: image.id,
        name: 'database',
        geometry: image.geometry,
        fileSystem: 'ext4',
        labels: { tier: 'gold' },
      },
      parent,
      fullReason: parent ? null : 'first',
      createdMs: this.clock.nowMs(),
      type: 'Manual',
      consistency: 'crash',
      plannedBlocks: new Set(blocks).size,
    };
  }

  /** Uploads the given blocks of the image, cut into extents of at most `maxBlocks`. */
  async upload(
    image: ModelImage,
    parent: CloudsnapEntry | null,
    blocks: Iterable<number>,
    repository = this.repository,
  ): Promise<CloudsnapEntry> {
    const ascending = [...new Set(blocks)].sort((a, b) => a - b);
    const writer = await repository.begin(this.plan(image, parent, ascending), never);
    const { blockBytes } = image.geometry;
    try {
      for (const { firstBlock, blockCount } of extentsOf(ascending)) {
        const end = (firstBlock + blockCount) * blockBytes;
        await writer.writeBlocks(firstBlock, image.bytes.subarray(firstBlock * blockBytes, end));
      }
      return await writer.commit();
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  /** A full one, or an incremental of what is dirty. The dirty blocks are forgotten. */
  async backUp(image: ModelImage, parent: CloudsnapEntry | null): Promise<CloudsnapEntry> {
    const all = Array(image.geometry.blockCount).keys();
    const entry = await this.upload(image, parent, parent ? image.dirty : all);
    image.dirty.clear();
    return entry;
  }

  /** Keys in the store, without the cluster's marker and the records of owners. */
  async keys(prefix = ''): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.disk.list(`${this.clusterId}/${prefix}`)) {
      if (!key.startsWith(`${this.clusterId}/owner/`)) keys.push(key);
    }
    return keys;
  }

  /** Changes an object behind everybody's back. */
  async alter(key: string, change: (body: Uint8Array) => Uint8Array): Promise<void> {
    await this.disk.put(key, change(await this.disk.get(key)));
  }
}

/** The whole content of a cloudsnap; checks on the way that runs cover what was asked for. */
export async function readAll(reader: CloudsnapReader, maxBlocks = 100): Promise<Uint8Array> {
  const { blockBytes, blockCount, sizeBytes } = reader.geometry;
  const image = new Uint8Array(sizeBytes);
  for (let firstBlock = 0; firstBlock < blockCount; firstBlock += maxBlocks) {
    const extent = { firstBlock, blockCount: Math.min(maxBlocks, blockCount - firstBlock) };
    let next = firstBlock;
    for (const run of await reader.readBlocks(extent)) {
      if (run.firstBlock !== next) throw new Error(`a gap before block ${run.firstBlock}`);
      next += run.blockCount;
      if (!run.data) continue;
      if (run.data.length !== run.blockCount * blockBytes) throw new Error('a run of wrong length');
      image.set(run.data, run.firstBlock * blockBytes);
    }
    if (next !== firstBlock + extent.blockCount) throw new Error('the extent is not covered');
  }
  return image;
}

export async function contentOf(
  repository: CloudsnapRepository,
  entry: CloudsnapEntry,
): Promise<Uint8Array> {
  const reader = await repository.open(entry);
  try {
    return await readAll(reader);
  } finally {
    await reader.close();
  }
}

/** Which blocks hold other bytes in the two images, for a message that helps; empty when equal. */
export function differingBlocks(left: Uint8Array, right: Uint8Array, blockBytes = BLOCK): number[] {
  const count = Math.max(left.length, right.length) / blockBytes;
  return [...Array(count).keys()].filter((block) => {
    const [start, end] = [block * blockBytes, (block + 1) * blockBytes];
    return Buffer.compare(left.subarray(start, end), right.subarray(start, end)) !== 0;
  });
}

export async function collect(extents: AsyncIterable<Extent>): Promise<Extent[]> {
  const collected: Extent[] = [];
  for await (const extent of extents) collected.push(extent);
  return collected;
}
