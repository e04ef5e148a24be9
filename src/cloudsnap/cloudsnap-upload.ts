import assert from 'node:assert/strict';
import type { Clock } from '../base/clock.ts';
import { CloudvolError, hasCode, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ClusterId } from '../base/ids.ts';
import { sha256Hex } from '../base/sha256.ts';
import type { CloudsnapName } from '../format/cloudsnap-id.ts';
import { encodeIndexRoot } from '../format/index-root-codec.ts';
import { encodeManifest } from '../format/manifest-codec.ts';
import { rootObject } from '../format/root-object.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { BlockWriter } from './block-writer.ts';
import type {
  CloudsnapEntry,
  CloudsnapPlan,
  CloudsnapStatistics,
  CloudsnapWriter,
  EarlierUpload,
} from './cloudsnap-api.ts';
import type { IndexReader } from './index-reader.ts';
import { manifestOf } from './manifest-draft.ts';
import { manifestKey, openKey, packKey, rootKey, tombstoneKey } from './object-keys.ts';
import type { RootCipher } from './root-cipher.ts';
import { publishManifest } from './publish-manifest.ts';
import { encodeTombstone } from './tombstone.ts';
import { overtaken, type ResumedUpload } from './resume-upload.ts';
import type { UploadJournal } from './upload-journal.ts';
import type { Uploads } from './uploads.ts';

export interface CloudsnapUploadOptions {
  readonly store: ObjectStore;
  readonly clusterId: ClusterId;
  readonly plan: CloudsnapPlan;
  readonly name: CloudsnapName;
  /** Of the plan's parent; undefined for a full. */
  readonly parent: IndexReader | undefined;
  readonly uploads: Uploads;
  readonly cipher: RootCipher;
  /** Of the object `open`, which was put before. */
  readonly openBytes: number;
  readonly packTargetBytes?: number | undefined;
  /** Where it is written down, so that it can go on when it is cut off. */
  readonly journal: UploadJournal | undefined;
  /** What it goes on with. */
  readonly resumed: ResumedUpload | undefined;
  /** Why an upload that was cut off before does not go on. */
  readonly givenUp: string | undefined;
  readonly tenure: Tenure;
  /** Told when nothing more is put. */
  readonly onEnded: () => unknown;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Log;
}

/** The upload's host owns the volume: for as long as it says so, and nobody else does. */
export interface Tenure {
  /** @throws CloudvolError `cloudsnap/not-owner` */
  requireStill(signal: AbortSignal): Promise<void>;
  renewIfDue(): Promise<void>;
}

/**
 * One cloudsnap on its way to the store.
 *
 *   writing → publishing → published
 *      ↓        ↓     ↓
 *      └──→ dead     withdrawn: the parent had gone
 *
 * What fails in `publishing` and is not a lost race stays there: the manifest may yet come to be,
 * so that abort() leaves the objects that it names alone.
 *
 * With a journal, what has arrived outlives a failure: the next upload of the same thing goes on.
 */
export class CloudsnapUpload implements CloudsnapWriter {
  readonly cloudsnapId: string;
  readonly #options: CloudsnapUploadOptions;
  readonly #blocks: BlockWriter;
  #nextBlock = 0;
  #busy = false;
  #state: 'writing' | 'publishing' | 'published' | 'withdrawn' | 'dead' = 'writing';

  constructor(options: CloudsnapUploadOptions) {
    this.#options = options;
    const { snapName } = options.name;
    this.cloudsnapId = `${options.clusterId}/${snapName}`;
    const { volume, repair } = options.plan;
    const { attempt = 0, earlier } = options.resumed ?? {};
    this.#blocks = new BlockWriter({ ...options, snapName, volume, repair, attempt, earlier });
  }

  get statistics(): CloudsnapStatistics {
    const { uploads, plan, openBytes, resumed } = this.#options;
    const { reusedBlocks: _, ...counts } = this.#blocks.counts;
    return {
      plannedBlocks: plan.plannedBlocks,
      ...counts,
      uploadedPlainBytes: counts.uploadedBlocks * plan.volume.geometry.blockBytes,
      storedBytes: openBytes + uploads.storedBytes + (resumed?.earlier.used.bytes ?? 0),
    };
  }

  get reusedBlocks(): number {
    return this.#blocks.counts.reusedBlocks;
  }

  get earlier(): EarlierUpload {
    const { resumed, givenUp, journal } = this.#options;
    if (givenUp !== undefined) return { kind: 'given-up', reason: givenUp };
    if (!resumed) return { kind: 'none' };
    const packs = resumed.journal.packs.length;
    return { kind: 'resumed', packs, storedBytes: journal?.storedBytes ?? 0 };
  }

  async writeBlocks(firstBlock: number, data: Uint8Array): Promise<void> {
    const { blockBytes, blockCount } = this.#options.plan.volume.geometry;
    const count = data.length / blockBytes;
    assert(Number.isInteger(count), 'whole blocks are written');
    assert(firstBlock >= this.#nextBlock, 'blocks are written in ascending order');
    assert(firstBlock + count <= blockCount, 'blocks lie within the volume');
    await this.#alone(async () => {
      await this.#options.tenure.renewIfDue();
      await this.#blocks.write(firstBlock, data);
    });
    this.#nextBlock = firstBlock + count;
  }

  async commit(): Promise<CloudsnapEntry> {
    return await this.#alone(async () => {
      this.#checkComplete();
      await this.#blocks.close();
      await this.#options.uploads.settled();
      return await this.#publish(await this.#putRoot());
    });
  }

  async abort(): Promise<{ readonly keptBytes: number }> {
    if (this.#state === 'published' || this.#state === 'withdrawn') return { keptBytes: 0 };
    const { uploads, log, journal, onEnded } = this.#options;
    const { cloudsnapId } = this;
    await uploads.stop();
    onEnded();
    await journal?.close();
    const keptBytes = journal?.storedBytes ?? 0;
    if (this.#state === 'publishing') {
      log.warn('cloudsnap.left-in-doubt', { cloudsnapId });
      return { keptBytes };
    }
    this.#state = 'dead';
    if (keptBytes > 0) log.info('cloudsnap.kept-to-go-on', { cloudsnapId, keptBytes });
    // What earlier attempts have stored may be named by a manifest that is still on its way.
    else if (!this.#options.resumed) await this.#removeObjects();
    return { keptBytes };
  }

  async #removeObjects(): Promise<void> {
    const { uploads, log, store, clusterId, name } = this.#options;
    const { cloudsnapId } = this;
    try {
      await store.delete(uploads.attempted);
      // Last: as long as anything is left, this says whose it is.
      await store.delete([openKey(clusterId, name.snapName)]);
      log.info('cloudsnap.aborted', { cloudsnapId, objects: uploads.attempted.length });
    } catch (error) {
      // Best effort: what is left is named by no manifest, and harms nothing but the bill.
      log.warn('cloudsnap.abort-incomplete', { cloudsnapId, reason: messageOf(error) });
    }
  }

  /** One call at a time; the first that fails is the last. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    assert(!this.#busy, 'calls of a writer do not overlap');
    assert(this.#state === 'writing', 'a writer that failed or committed takes nothing more');
    this.#busy = true;
    try {
      this.#options.signal.throwIfAborted();
      return await work();
    } catch (error) {
      if (this.#state === 'writing') this.#state = 'dead';
      const isOvertaken = this.#state === 'dead' && hasCode(error, 'store/exists');
      throw isOvertaken ? overtaken(this.cloudsnapId, error) : error;
    } finally {
      this.#busy = false;
    }
  }

  /**
   * A planned block that was never written would be restored as what its parent has: silently
   * wrong.
   */
  #checkComplete(): void {
    const { plannedBlocks, zeroBlocks, unchangedBlocks, uploadedBlocks } = this.statistics;
    const writtenBlocks = zeroBlocks + unchangedBlocks + uploadedBlocks;
    if (writtenBlocks === plannedBlocks) return;
    throw new CloudvolError(
      'cloudsnap/incomplete',
      `${this.cloudsnapId} was to have ${plannedBlocks} blocks and was given ${writtenBlocks}`,
      {
        hint: 'report this: it is a defect of cloudvol',
        details: { plannedBlocks, writtenBlocks },
      },
    );
  }

  async #putRoot() {
    const { uploads, clusterId, name, cipher, resumed } = this.#options;
    const { attempt = 0 } = resumed ?? {};
    const object = rootObject(attempt);
    const key = rootKey(clusterId, name.snapName, object);
    const bytes = encodeIndexRoot(this.#blocks.root, name.snapName, cipher.sealing(key));
    await uploads.start(key, bytes, { ifAbsent: attempt > 0 });
    await uploads.settled();
    return { object, lengthBytes: bytes.length, sha256: sha256Hex(bytes) };
  }

  async #publish(root: CloudsnapEntry['manifest']['root']): Promise<CloudsnapEntry> {
    const { store, clusterId, plan, name, cipher, tenure, signal } = this.#options;
    const end = { root, statistics: this.statistics };
    const manifest = manifestOf(plan, clusterId, name, end, cipher.masterKeyId);
    const key = manifestKey(clusterId, name.volumeId, name.sequence);
    const sealing = cipher.sealing(key);
    const bytes = encodeManifest(manifest, sealing);
    await tenure.requireStill(signal);
    signal.throwIfAborted();
    this.#state = 'publishing';
    try {
      await publishManifest(store, key, { bytes, sealing }, signal);
    } catch (error) {
      if (hasCode(error, 'cloudsnap/lost-race')) await this.#lose();
      throw error;
    }
    await this.#withdrawIfOrphaned(key);
    this.#state = 'published';
    this.#options.onEnded();
    await this.#tidy();
    return { manifest, manifestSha256: sha256Hex(bytes) };
  }

  /** Its number is another's: there is nothing to go on with. */
  async #lose(): Promise<void> {
    await this.#options.journal?.remove();
    this.#state = 'dead';
  }

  /**
   * Best effort: what earlier attempts have stored and this one has no use for. Now that the
   * manifest stands, none of theirs can; where a store cannot promise that, it stays.
   */
  async #tidy(): Promise<void> {
    const { journal, resumed, store, log, clusterId, name } = this.#options;
    await journal?.remove();
    if (!resumed || !store.capabilities.conditionalPut) return;
    const { snapName } = name;
    const usedKeys = new Set(
      resumed.earlier.usedPackIds.map((packId) => packKey(clusterId, { snapName, packId })),
    );
    const leftovers = resumed.stored.filter((key) => !usedKeys.has(key));
    try {
      if (leftovers.length > 0) await store.delete(leftovers);
    } catch (error) {
      // They lie below a cloudsnap that is visible, and go when it is deleted.
      const { cloudsnapId } = this;
      log.warn('cloudsnap.leftovers-stay', { cloudsnapId, reason: messageOf(error) });
    }
  }

  /**
   * Deleting looks for dependants after its tombstone stands; this looks for the tombstone after
   * the manifest stands. So whenever a parent is deleted while its child is made, at least one of
   * the two sees the other and draws back.
   */
  async #withdrawIfOrphaned(key: string): Promise<void> {
    const { store, clusterId, plan, clock, cipher, signal } = this.#options;
    if (!plan.parent) return;
    const { sequence, volume, cloudsnapId } = plan.parent.manifest;
    const tombstone = tombstoneKey(manifestKey(clusterId, volume.id, sequence));
    if (!(await store.head(tombstone, { signal }))) return;
    // From here on nobody sees it. Its removal is finished with the next deletion in this volume,
    // and its number is not free before that.
    const own = tombstoneKey(key);
    const body = encodeTombstone(this.cloudsnapId, clock.nowMs(), cipher.sealing(own));
    await store.put(own, body, { signal });
    this.#state = 'withdrawn';
    this.#options.onEnded();
    await this.#options.journal?.remove();
    throw new CloudvolError(
      'cloudsnap/parent-missing',
      `the parent ${cloudsnapId} was deleted while ${this.cloudsnapId} was made`,
      { hint: 'take a full cloudsnap', details: { cloudsnapId } },
    );
  }
}
