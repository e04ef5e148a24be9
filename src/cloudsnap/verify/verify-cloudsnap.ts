import type { Clock } from '../../base/clock.ts';
import { hasCode } from '../../base/errors.ts';
import { parseCloudsnapId } from '../../format/cloudsnap-id.ts';
import type { Manifest } from '../../format/manifest.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { snapNameOf } from '../index-reader.ts';
import { isVisible, notFound, type ManifestCatalog, type Slot } from '../manifest-catalog.ts';
import { manifestKey, rootKey } from '../object-keys.ts';
import type { StoredCloudsnap } from '../stored-cloudsnap.ts';
import { checkChain } from './check-chain.ts';
import { checkFrames } from './check-frames.ts';
import { confirmDamage } from './confirm-damage.ts';
import { DamageLog } from './damage-log.ts';
import { hurtCloudsnaps } from './hurt-cloudsnaps.ts';
import { findingOf, IndexWalk } from './index-walk.ts';
import { StoredObjects } from './stored-objects.ts';
import type { DamageFinding, VerifyOptions, VerifyReport } from './verify-report.ts';

export interface VerifyDeps {
  readonly store: ObjectStore;
  /** One that remembers no manifest: what lies in the store is what is looked at. */
  readonly catalog: ManifestCatalog;
  readonly open: (manifest: Manifest, signal: AbortSignal) => Promise<StoredCloudsnap>;
  readonly clock: Clock;
}

/**
 * Whether a cloudsnap can be restored, without restoring it: its manifest and those before it, its
 * root, every page of its index, that every object is there, and the sample of its blocks. Memory
 * does not grow with the volume. Damage is reported; what is no damage throws.
 * @throws CloudvolError `cloudsnap/not-found`, also when it was deleted meanwhile; what the store
 * throws when it does not answer.
 */
export async function verifyCloudsnap(
  deps: VerifyDeps,
  cloudsnapId: string,
  options: VerifyOptions,
  signal: AbortSignal,
): Promise<VerifyReport> {
  const name = parseCloudsnapId(cloudsnapId);
  if (!name) throw notFound(cloudsnapId);
  const readSlots = () => deps.catalog.slots(name.clusterId, name.volumeId, signal);
  const key = manifestKey(name.clusterId, name.volumeId, name.sequence);
  const visibleIn = (slots: readonly Slot[]) =>
    slots.find((slot) => slot.key === key && isVisible(slot));
  const slots = await readSlots();
  const slot = visibleIn(slots);
  if (!slot) throw notFound(cloudsnapId);
  const verification = new Verification(deps, { cloudsnapId, slot, slots }, signal);
  const found = await verification.run(options);
  // What is deleted while it is looked at looks damaged: that is no alarm.
  if (found.damage.length > 0 && !visibleIn(await readSlots())) throw notFound(cloudsnapId);
  const { percent, seed } = options;
  return { cloudsnapId, volumeId: name.volumeId, percent, seed, ...found };
}

type Found = Omit<VerifyReport, 'cloudsnapId' | 'volumeId' | 'percent' | 'seed'>;

/** Of a cloudsnap that cannot even be opened. */
const NOTHING = { packs: 0, pages: 0, blocks: 0, blocksRead: 0, bytesRead: 0 };

interface Subject {
  readonly cloudsnapId: string;
  readonly slot: Slot;
  /** All of its volume. */
  readonly slots: readonly Slot[];
}

class Verification {
  readonly #deps: VerifyDeps;
  readonly #subject: Subject;
  readonly #signal: AbortSignal;
  readonly #damage = new DamageLog();

  constructor(deps: VerifyDeps, subject: Subject, signal: AbortSignal) {
    this.#deps = deps;
    this.#subject = subject;
    this.#signal = signal;
  }

  async run(options: VerifyOptions): Promise<Found> {
    const { catalog, open, clock } = this.#deps;
    const { cloudsnapId, slot, slots } = this.#subject;
    const signal = this.#signal;
    const entry = await this.#orNote('manifest', slot.key, () => catalog.read(slot, signal));
    if (!entry) return { ...NOTHING, damage: this.#findings() };
    if (entry.manifest.cloudsnapId !== cloudsnapId) throw notFound(cloudsnapId);
    await checkChain(entry, { catalog, slots, damage: this.#damage, clock, signal });
    const { manifest } = entry;
    const root = rootKey(slot.clusterId, snapNameOf(manifest), manifest.root.object);
    const cloudsnap = await this.#orNote('root', root, () => open(manifest, signal));
    if (!cloudsnap) return { ...NOTHING, damage: this.#findings() };
    try {
      return await this.#content(cloudsnap, options);
    } finally {
      await cloudsnap.close();
    }
  }

  async #content(cloudsnap: StoredCloudsnap, options: VerifyOptions): Promise<Found> {
    const { catalog, open, clock, store } = this.#deps;
    const signal = this.#signal;
    const objects = new StoredObjects(store);
    const walking = { cloudsnap, objects, damage: this.#damage, clock, signal };
    const counts = await checkFrames(walking, new IndexWalk(walking), options);
    const { slots } = this.#subject;
    const others = await hurtCloudsnaps(cloudsnap, this.#damage.findings(), {
      catalog,
      slots,
      open,
      clock,
      signal,
    });
    return { ...counts, damage: this.#findings(others) };
  }

  /** @param others by object */
  #findings(others: ReadonlyMap<string, readonly string[]> = new Map()): DamageFinding[] {
    return this.#damage.findings().map((finding) => {
      const hurt = [this.#subject.cloudsnapId, ...(others.get(finding.object) ?? [])];
      // A manifest that is not what it was hurts its own cloudsnap, and the link to it.
      if (finding.kind === 'manifest') hurt.push(finding.owner);
      return { ...finding, cloudsnaps: bySequence(hurt) };
    });
  }

  async #orNote<T>(
    kind: 'manifest' | 'root',
    key: string,
    read: () => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await confirmDamage(read, { clock: this.#deps.clock, signal: this.#signal });
    } catch (error) {
      if (!hasCode(error, 'cloudsnap/corrupt')) throw error;
      this.#damage.note(kind, key, this.#subject.cloudsnapId, findingOf(error));
      return undefined;
    }
  }
}

function bySequence(cloudsnapIds: readonly string[]): string[] {
  const sequenceOf = (id: string) => parseCloudsnapId(id)?.sequence ?? 0;
  return [...new Set(cloudsnapIds)].sort((a, b) => sequenceOf(a) - sequenceOf(b));
}
