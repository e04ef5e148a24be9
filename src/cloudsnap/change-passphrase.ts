import { CloudvolError, hasCode } from '../base/errors.ts';
import type { ClusterId } from '../base/ids.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { notEncrypted, wrongPassphrase } from './credential-mismatch.ts';
import { EncryptedRepositoryCipher } from './encrypted-repository-cipher.ts';
import { unwrapMasterKey } from './key-slots.ts';
import { listClusters } from './list-clusters.ts';
import { readClusterMarker } from './read-cluster-marker.ts';
import { readKeySlots } from './read-key-slots.ts';
import { SlotChange, type UnfinishedChange } from './slot-change.ts';

/** Where changes are written down, by master key id. Durable when a promise resolves. */
export interface ChangeJournal {
  find(masterKeyId: string): Promise<UnfinishedChange | undefined>;
  note(masterKeyId: string, change: UnfinishedChange): Promise<void>;
  remove(masterKeyId: string): Promise<void>;
}

export interface ChangePassphraseOptions {
  readonly store: ObjectStore;
  /** The root that has to change; it is begun where there is none yet. */
  readonly clusterId: ClusterId;
  /** Whether other roots of the bucket that `from` opens change too. */
  readonly allClusters: boolean;
  readonly from: string;
  readonly to: string;
  readonly journal: ChangeJournal;
  /**
   * Called when both passphrases open all roots that change: from when it resolves, everybody on
   * this host uses `to`, durably.
   */
  readonly switchOver: (masterKeyIds: ReadonlySet<string>) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface ChangedPassphrase {
  /** `adopted`: the root had been changed elsewhere; only this host did not know. */
  readonly outcome: 'changed' | 'adopted';
  readonly clusterIds: readonly ClusterId[];
  /** Why the old passphrase still opens, though the new one is in use; to be done again. */
  readonly unfinished?: unknown;
}

/**
 * From now on `to` opens the root, and `from` does not. Rewrites keys objects only: master keys
 * stay, and so does all data. In this order, so that a crash at any step leaves a host that knows a
 * passphrase that opens, and a change that can be made again:
 *
 *     the journal knows the slots → both open → this host uses `to` → only `to` opens → forgotten
 *
 * Not for two hosts at once: one of them is told.
 * @throws CloudvolError `cloudsnap/wrong-passphrase`, `cloudsnap/not-encrypted`,
 * `cloudsnap/lost-race`, `cloudsnap/too-many-passphrases`, `cloudsnap/same-passphrase`: this host
 * still uses `from`.
 */
export async function changePassphrase(
  options: ChangePassphraseOptions,
): Promise<ChangedPassphrase> {
  const { clusterId, journal, switchOver } = options;
  const changes = await prepare(options);
  if (changes === 'adopted') return { outcome: changes, clusterIds: [clusterId] };
  const clusterIds = changes.map((each) => each.clusterId);
  for (const { masterKeyId, change } of changes) await journal.note(masterKeyId, change.unfinished);
  for (const { change } of changes) await change.add();
  await switchOver(new Set(changes.map(({ masterKeyId }) => masterKeyId)));
  try {
    for (const { masterKeyId, change } of changes) {
      await change.removeOld();
      await journal.remove(masterKeyId);
    }
  } catch (unfinished) {
    return { outcome: 'changed', clusterIds, unfinished };
  }
  return { outcome: 'changed', clusterIds };
}

interface RootChange {
  readonly clusterId: ClusterId;
  readonly masterKeyId: string;
  readonly change: SlotChange;
}

/** Reads and computes; of the bucket nothing but a root that is not there yet is written. */
async function prepare(options: ChangePassphraseOptions): Promise<RootChange[] | 'adopted'> {
  const { store, clusterId, allClusters, from, to, switchOver, signal } = options;
  const own = await rootOf(options, clusterId);
  const change = await ownChange(options, own);
  if (!change) {
    await switchOver(new Set([own]));
    return 'adopted';
  }
  const changes = [{ clusterId, masterKeyId: own, change }];
  for (const other of allClusters ? await listClusters(store, signal) : []) {
    if (other === clusterId) continue;
    const masterKeyId = (await readClusterMarker(store, other, signal))?.masterKeyId;
    const its = masterKeyId && (await slotChangeOf(options, other, masterKeyId, from));
    // One that is clear, or another's, is none of this credential's.
    if (its) changes.push({ clusterId: other, masterKeyId, change: its });
  }
  if (changes.length === 1 && isSame(from, to) && !change.goesOn) throw samePassphrase(clusterId);
  return changes;
}

/** undefined: somebody else has changed it to `to`, and nothing is left to do. */
async function ownChange(
  options: ChangePassphraseOptions,
  masterKeyId: string,
): Promise<SlotChange | undefined> {
  const { store, clusterId, from, to, journal, signal } = options;
  const change = await slotChangeOf(options, clusterId, masterKeyId, from);
  if (change) return change;
  // An own one that was cut off before may have left a way in.
  if (await journal.find(masterKeyId)) {
    const rest = await slotChangeOf(options, clusterId, masterKeyId, to);
    if (rest) return rest;
  } else {
    const keys = await readKeySlots(store, clusterId, masterKeyId, signal);
    if (await unwrapMasterKey(keys, to)) return undefined;
  }
  throw wrongPassphrase(clusterId);
}

/** The master key of the root that has to change. */
async function rootOf(
  { store, from, to, signal }: ChangePassphraseOptions,
  clusterId: ClusterId,
): Promise<string> {
  const marker = await readClusterMarker(store, clusterId, signal);
  if (marker && marker.masterKeyId === undefined) throw notEncrypted(clusterId);
  if (marker?.masterKeyId !== undefined) return marker.masterKeyId;
  // Begun before the change, so that a backup that begins it at the same time meets its marker.
  const begin = async (passphrase: string) => {
    const root = await new EncryptedRepositoryCipher(store, passphrase).forWriting(
      clusterId,
      signal,
    );
    if (root.masterKeyId === undefined) throw notEncrypted(clusterId);
    return root.masterKeyId;
  };
  try {
    return await begin(from);
  } catch (error) {
    // A root whose marker was lost, and whose passphrase was changed elsewhere.
    if (!hasCode(error, 'cloudsnap/wrong-passphrase')) throw error;
    return await begin(to);
  }
}

async function slotChangeOf(
  { store, to, journal, signal }: ChangePassphraseOptions,
  clusterId: ClusterId,
  masterKeyId: string,
  from: string,
): Promise<SlotChange | undefined> {
  const earlier = await journal.find(masterKeyId);
  return await SlotChange.prepare({ store, clusterId, masterKeyId, from, to, earlier, signal });
}

function isSame(one: string, other: string): boolean {
  return one.normalize('NFC') === other.normalize('NFC');
}

function samePassphrase(clusterId: ClusterId): CloudvolError {
  return new CloudvolError(
    'cloudsnap/same-passphrase',
    `the new passphrase of ${clusterId} is the one it has`,
    { hint: 'choose another one', details: { clusterId } },
  );
}
