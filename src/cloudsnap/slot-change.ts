import { CloudvolError, hasCode } from '../base/errors.ts';
import type { ClusterId } from '../base/ids.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { damaged } from './damage.ts';
import {
  MAX_SLOTS,
  decodeKeySlots,
  encodeKeySlots,
  unwrapMasterKey,
  wrapMasterKey,
  type KeySlot,
  type KeySlots,
} from './key-slots.ts';
import { masterKeyKey } from './object-keys.ts';
import { readKeySlots } from './read-key-slots.ts';

/** What has to be known after a crash. Nothing in it is secret. */
export interface UnfinishedChange {
  /** Of the slots that the change makes or takes away. */
  readonly salts: readonly string[];
  /** The keys object as it was before it was first written again, in Base64. */
  readonly keysObject: string;
}

export interface SlotChangeOptions {
  readonly store: ObjectStore;
  readonly clusterId: ClusterId;
  readonly masterKeyId: string;
  readonly from: string;
  readonly to: string;
  /** What a change that was cut off has left. */
  readonly earlier: UnfinishedChange | undefined;
  readonly signal: AbortSignal;
}

/**
 * The change of one root's keys object, in two writes: first both passphrases open it, then only
 * the new one. A slot that nobody here made or takes away stays.
 */
export class SlotChange {
  readonly unfinished: UnfinishedChange;
  readonly #options: SlotChangeOptions;
  readonly #masterKey: Uint8Array;
  readonly #slot: KeySlot;
  readonly #both: KeySlots;

  private constructor(
    options: SlotChangeOptions,
    masterKey: Uint8Array,
    slot: KeySlot,
    both: KeySlots,
    unfinished: UnfinishedChange,
  ) {
    this.#options = options;
    this.#masterKey = masterKey;
    this.#slot = slot;
    this.#both = both;
    this.unfinished = unfinished;
  }

  /** Whether an earlier change was cut off. */
  get goesOn(): boolean {
    return this.#options.earlier !== undefined;
  }

  /**
   * Writes nothing. undefined: `from` does not open the root.
   * @throws CloudvolError `cloudsnap/too-many-passphrases`, `cloudsnap/corrupt`
   */
  static async prepare(options: SlotChangeOptions): Promise<SlotChange | undefined> {
    const { from, to, earlier } = options;
    const before = await readOrRecall(options);
    const old = await unwrapMasterKey(before, from);
    if (!old) return undefined;
    const stale = new Set(earlier?.salts);
    const others: KeySlot[] = [];
    for (const slot of before.slots) {
      if (slot === old.slot || stale.has(slot.salt)) continue;
      if (await unwrapMasterKey({ ...before, slots: [slot] }, from)) stale.add(slot.salt);
      else others.push(slot);
    }
    if (others.length + 2 > MAX_SLOTS) throw tooMany(options.clusterId);
    const slot = await wrapMasterKey(old.masterKey, to, before);
    const both = { ...before, slots: [slot, old.slot, ...others] };
    return new SlotChange(options, old.masterKey, slot, both, {
      salts: [...new Set([...stale, old.slot.salt, slot.salt])],
      keysObject: Buffer.from(encodeKeySlots(before)).toString('base64'),
    });
  }

  /** When it resolves, the new passphrase has been seen to open the root. */
  async add(): Promise<void> {
    const { signal, to } = this.#options;
    await this.#put(this.#both, signal);
    const found = await this.#read(signal);
    const own = found.slots.filter(({ salt }) => salt === this.#slot.salt);
    if (own.length === 0) throw overwritten(this.#options.clusterId);
    const opened = await unwrapMasterKey({ ...found, slots: own }, to);
    if (!opened || Buffer.compare(opened.masterKey, this.#masterKey) !== 0) {
      const { clusterId, masterKeyId } = this.#options;
      const where = { cloudsnapId: clusterId, object: masterKeyKey(clusterId, masterKeyId) };
      throw damaged(where, 'the new passphrase does not open what was just written');
    }
    opened.masterKey.fill(0);
    this.#masterKey.fill(0);
  }

  /** Takes the old ways in away. Not to be cut off by a caller who has gone. */
  async removeOld(): Promise<void> {
    const found = await this.#read();
    const own = found.slots.filter(({ salt }) => salt === this.#slot.salt);
    if (own.length === 0) throw overwritten(this.#options.clusterId);
    const going = new Set(this.unfinished.salts);
    const others = found.slots.filter(({ salt }) => !going.has(salt));
    await this.#put({ ...found, slots: [...own, ...others] });
  }

  #read(signal?: AbortSignal): Promise<KeySlots> {
    const { store, clusterId, masterKeyId } = this.#options;
    return readKeySlots(store, clusterId, masterKeyId, signal);
  }

  async #put(keys: KeySlots, signal?: AbortSignal): Promise<void> {
    const { store, clusterId, masterKeyId } = this.#options;
    const key = masterKeyKey(clusterId, masterKeyId);
    await store.put(key, encodeKeySlots(keys), signal ? { signal } : {});
  }
}

/** A keys object that was lost since a change has begun is known from that change. */
async function readOrRecall(options: SlotChangeOptions): Promise<KeySlots> {
  const { store, clusterId, masterKeyId, earlier, signal } = options;
  try {
    return await readKeySlots(store, clusterId, masterKeyId, signal);
  } catch (error) {
    if (!earlier || !hasCode(error, 'cloudsnap/corrupt')) throw error;
    return decodeKeySlots(Buffer.from(earlier.keysObject, 'base64'), clusterId, masterKeyId);
  }
}

function tooMany(clusterId: ClusterId): CloudvolError {
  return new CloudvolError(
    'cloudsnap/too-many-passphrases',
    `${clusterId} is opened by as many passphrases as there can be, so that none can be added`,
    { hint: 'this version made one: find out who added the others', details: { clusterId } },
  );
}

function overwritten(clusterId: ClusterId): CloudvolError {
  return new CloudvolError(
    'cloudsnap/lost-race',
    `another host changes the passphrase of ${clusterId} at the same time`,
    {
      hint: 'change it on one host; give the others the new one by the same command',
      details: { clusterId },
    },
  );
}
