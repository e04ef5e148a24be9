import type { ClusterId, VolumeId } from '../base/ids.ts';
import { isVolumeId } from '../base/ids.ts';
import { isClusterId, parseSnapName, type CloudsnapName } from '../format/cloudsnap-id.ts';
import type { PackRef } from '../format/index-page.ts';
import type { IndexObjectRef } from '../format/index-root.ts';
import { isRootObject } from '../format/root-object.ts';

/** Every key in a bucket is made here, and nowhere else. docs/FORMAT.md lists them. */

const SEQUENCE_DIGITS = 10;
const TOMBSTONE = '.deleted';
const MANIFEST_KEY = /^([^/]+)\/manifests\/([^/]+)\/([0-9]{10})(\.deleted)?$/;
const OWNER_KEY = /^([^/]+)\/owner\/([^/]+)\/([0-9]{10})(\.alive)?$/;
const ALIVE = '.alive';
const CLUSTERS = 'clusters/';

/** Marks a root in the bucket, so that all roots are found by one short listing. */
export function clusterKey(clusterId: ClusterId): string {
  return `${CLUSTERS}${clusterId}`;
}

export function clustersPrefix(): string {
  return CLUSTERS;
}

/** undefined for what is no cluster's marker. */
export function parseClusterKey(key: string): ClusterId | undefined {
  const name = key.slice(CLUSTERS.length);
  return key.startsWith(CLUSTERS) && isClusterId(name) ? name : undefined;
}

export function manifestsPrefix(clusterId: ClusterId, volumeId?: VolumeId): string {
  return volumeId ? `${clusterId}/manifests/${volumeId}/` : `${clusterId}/manifests/`;
}

/** The commit point: contenders for one sequence number meet on this key. */
export function manifestKey(clusterId: ClusterId, volumeId: VolumeId, sequence: number): string {
  const digits = String(sequence).padStart(SEQUENCE_DIGITS, '0');
  return `${manifestsPrefix(clusterId, volumeId)}${digits}`;
}

/** While there is such an object, the manifest beside it counts as gone. */
export function tombstoneKey(keyOfManifest: string): string {
  return `${keyOfManifest}${TOMBSTONE}`;
}

export interface ManifestKey {
  readonly clusterId: ClusterId;
  readonly volumeId: VolumeId;
  readonly sequence: number;
  readonly isTombstone: boolean;
}

/** undefined for a key that is neither a manifest nor a tombstone. */
export function parseManifestKey(key: string): ManifestKey | undefined {
  const [, clusterId = '', volumeId = '', digits, tombstone] = MANIFEST_KEY.exec(key) ?? [];
  if (!isClusterId(clusterId) || !isVolumeId(volumeId)) return undefined;
  return { clusterId, volumeId, sequence: Number(digits), isTombstone: tombstone !== undefined };
}

/** Everything of one cloudsnap but its manifest lies below this. */
export function snapPrefix(clusterId: ClusterId, snapName: string): string {
  return `${clusterId}/${snapName}/`;
}

/** The slots of a master key: the only object that is ever written again. */
export function masterKeyKey(clusterId: ClusterId, masterKeyId: string): string {
  return `${clusterId}/keys/${masterKeyId}`;
}

/** The first object of a cloudsnap, put before any other and removed after all others. */
export function openKey(clusterId: ClusterId, snapName: string): string {
  return `${snapPrefix(clusterId, snapName)}open`;
}

export function packKey(clusterId: ClusterId, pack: PackRef): string {
  return `${snapPrefix(clusterId, pack.snapName)}pack-${pack.packId}`;
}

export function indexKey(
  clusterId: ClusterId,
  object: Pick<IndexObjectRef, 'snapName' | 'number'>,
): string {
  return `${snapPrefix(clusterId, object.snapName)}index-${object.number}`;
}

/** What an encrypted index page is bound to: its index object, and which page it is. */
export function pagePlace(keyOfIndex: string, pageNumber: number): string {
  return `${keyOfIndex}/${pageNumber}`;
}

/** @param object its name, as the manifest says it. */
export function rootKey(clusterId: ClusterId, snapName: string, object: string): string {
  return `${snapPrefix(clusterId, snapName)}${object}`;
}

/** Whether the key is that of a root, of whichever attempt of its upload. */
export function isRootKey(key: string): boolean {
  return isRootObject(key.slice(key.lastIndexOf('/') + 1));
}

/** Owners of a volume, by generation: the highest one owns it. */
export function ownersPrefix(clusterId: ClusterId, volumeId: VolumeId): string {
  return `${clusterId}/owner/${volumeId}/`;
}

export function ownerKey(clusterId: ClusterId, volumeId: VolumeId, generation: number): string {
  const digits = String(generation).padStart(SEQUENCE_DIGITS, '0');
  return `${ownersPrefix(clusterId, volumeId)}${digits}`;
}

/** Written anew as a sign of life: only its time means anything. */
export function aliveKey(keyOfOwner: string): string {
  return `${keyOfOwner}${ALIVE}`;
}

export interface OwnerKey {
  readonly generation: number;
  readonly isAlive: boolean;
}

/** undefined for a key that is neither an owner's record nor its sign of life. */
export function parseOwnerKey(key: string): OwnerKey | undefined {
  const [, , , digits, alive] = OWNER_KEY.exec(key) ?? [];
  return digits === undefined
    ? undefined
    : { generation: Number(digits), isAlive: alive !== undefined };
}

/** Below this each host says that it reads from a cloudsnap. */
export function pinsPrefix(clusterId: ClusterId, snapName: string): string {
  return `${clusterId}/pins/${snapName}/`;
}

/** Everything of a cluster but its marker. */
export function clusterPrefix(clusterId: ClusterId): string {
  return `${clusterId}/`;
}

/** Put when a sweep begins: a listing that does not show it is not to be believed. */
export function sweepKey(clusterId: ClusterId, nonce: string): string {
  return `${clusterId}/sweep-${nonce}`;
}

export function isSweepKey(clusterId: ClusterId, key: string): boolean {
  return key.startsWith(`${clusterId}/sweep-`);
}

/** undefined for what lies below no cloudsnap's prefix. */
export function parseSnapKey(
  key: string,
): (CloudsnapName & { readonly object: string }) | undefined {
  const [, snapName, object, ...more] = key.split('/');
  const name = more.length === 0 && object !== undefined && parseSnapName(snapName ?? '');
  return name ? { ...name, object } : undefined;
}
