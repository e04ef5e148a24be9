import type { ExecutionContext } from 'ava';
import { seededRandom } from '../../src/base/seeded-random.ts';
import type { CloudsnapEntry, CloudsnapRepository } from '../../src/cloudsnap/cloudsnap-api.ts';
import { manifestKey, tombstoneKey } from '../../src/cloudsnap/object-keys.ts';
import type { SweepReport, SweepRequest } from '../../src/cloudsnap/sweep/sweep-report.ts';
import { encodeTombstone } from '../../src/cloudsnap/tombstone.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { instantClock } from '../model/instant-clock.ts';
import { CloudsnapLab, ModelImage, contentOf, differingBlocks } from './cloudsnap-lab.ts';

export const never = new AbortController().signal;
export const DAY_MS = 24 * 3600 * 1000;
export const BLOCKS = 6;

export const request = (change: Partial<SweepRequest> = {}): SweepRequest => ({
  keep: new Set(),
  dryRun: false,
  ...change,
});

export const idOf = ({ manifest }: CloudsnapEntry) => manifest.cloudsnapId;
export const nameOf = (cloudsnapId: string) => cloudsnapId.split('/')[1]!;

/** A root with what can be in it, and the clock of its store. */
export class Scene {
  readonly clock = new ManualClock();
  readonly lab: CloudsnapLab;
  readonly images = new Map<string, Uint8Array>();
  readonly image = new ModelImage(BLOCKS);

  private constructor(lab: CloudsnapLab, clock: ManualClock) {
    this.lab = lab;
    this.clock = clock;
  }

  static async open(passphrase?: string): Promise<Scene> {
    const clock = new ManualClock();
    const disk = new MemoryStore({ clock });
    const options = passphrase === undefined ? { disk } : { disk, passphrase };
    return new Scene(await CloudsnapLab.open(options), clock);
  }

  /** The next process of this host; waiting takes it no time. */
  process(store: ObjectStore = this.lab.store): Promise<CloudsnapRepository> {
    return this.lab.another({ store, clock: instantClock() });
  }

  async backUp(parent: CloudsnapEntry | null, by = this.lab.repository): Promise<CloudsnapEntry> {
    this.image.change(seededRandom(this.images.size), 4);
    const blocks = parent ? this.image.dirty : Array(BLOCKS).keys();
    const entry = await this.lab.upload(this.image, parent, blocks, by);
    this.image.dirty.clear();
    this.images.set(idOf(entry), this.image.bytes.slice());
    return entry;
  }

  /** An upload whose process is killed before it is published. */
  async abandon(by = this.lab.repository): Promise<string> {
    this.image.change(seededRandom(99), BLOCKS);
    const writer = await by.begin(this.lab.plan(this.image, null, Array(BLOCKS).keys()), never);
    await writer.writeBlocks(0, this.image.bytes);
    // What it has in memory is stored, and then it is not committed.
    const commit = writer.commit().catch((error: unknown) => error);
    await commit;
    return writer.cloudsnapId;
  }

  /** What a deletion leaves that is killed right after its tombstone. */
  async entomb({ manifest }: CloudsnapEntry): Promise<void> {
    const { cloudsnapId, clusterId, sequence, volume } = manifest;
    const key = tombstoneKey(manifestKey(clusterId, volume.id, sequence));
    await this.lab.disk.put(key, encodeTombstone(cloudsnapId, 1));
    this.images.delete(cloudsnapId);
  }

  /** Objects below a prefix of which nothing else is known. */
  async strew(sequence: number): Promise<string> {
    const name = `${this.image.id}-${sequence}12345678`;
    const key = `${this.lab.clusterId}/${name}/pack-${'0'.repeat(32)}`;
    await this.lab.disk.put(key, Buffer.from('stray'));
    return `${this.lab.clusterId}/${name}`;
  }

  async prefixes(): Promise<string[]> {
    const keys = await this.lab.keys();
    const names = keys.map((key) => key.split('/')[1]!).filter((name) => /^[0-9]/.test(name));
    return [...new Set(names)];
  }

  /** Everything that ought to be visible is, and holds what it held; nothing else is. */
  async requireRight(t: ExecutionContext, when = ''): Promise<void> {
    const repository = await this.process();
    const visible = await repository.list({});
    t.deepEqual(visible.map(idOf).toSorted(), [...this.images.keys()].toSorted(), when);
    for (const entry of visible) {
      const wrong = differingBlocks(
        await contentOf(repository, entry),
        this.images.get(idOf(entry))!,
      );
      t.deepEqual(wrong, [], when);
    }
  }
}

/** A chain, a dead upload, a deletion that was cut off, and a stray object; all of it old. */
export async function littered(): Promise<{ scene: Scene; leftovers: string[] }> {
  const scene = await Scene.open();
  const full = await scene.backUp(null);
  await scene.backUp(full);
  const doomed = await scene.backUp(null);
  await scene.entomb(doomed);
  const dead = await abandonUnpublished(scene);
  const last = await scene.backUp(null, await scene.process());
  await scene.backUp(last, await scene.process());
  const stray = await scene.strew(77);
  await scene.clock.advance(8 * DAY_MS);
  return { scene, leftovers: [idOf(doomed), dead, stray] };
}

/** As `abandon`, with the manifest's put refused: the store goes away right before it. */
export async function abandonUnpublished(scene: Scene): Promise<string> {
  scene.lab.faults = ({ verb, key }) => ({
    kind: verb === 'put' && key.includes('/manifests/') ? 'error' : 'none',
  });
  const id = await scene.abandon();
  scene.lab.faults = () => ({ kind: 'none' });
  return id;
}

export function outcomes({ leftovers }: SweepReport): string[] {
  return leftovers.map(({ kind, outcome }) => `${kind} ${outcome}`).toSorted();
}
