import { randomInt } from 'node:crypto';
import { isVolumeId, type ClusterId, type VolumeId } from '../base/ids.ts';
import { corrupt } from './corrupt.ts';

/**
 * A cloudsnap is known as `<cluster id>/<snap name>`; its snap name `<volume id>-<snap id>[-incr]`
 * is also the prefix of its objects. A snap id is the sequence number followed by exactly eight
 * random digits: the number says where the manifest lies, the digits keep two writers that reach
 * for the same number out of each other's objects.
 */
export interface CloudsnapName {
  readonly volumeId: VolumeId;
  readonly sequence: number;
  readonly incremental: boolean;
  readonly snapName: string;
}

/** Ten digits in a key: more than one a second for three hundred years. */
export const MAX_SEQUENCE = 9_999_999_999;
/** 19 + 1 + 10 + 8 + 5 characters. */
export const MAX_SNAP_NAME_BYTES = 43;

const RANDOM_DIGITS = 8;
const SNAP_NAME = /^([1-9][0-9]{0,18})-([1-9][0-9]{0,9})([0-9]{8})(-incr)?$/;
/** A UUID, or the name of a bucket for repositories that are named so. */
const CLUSTER_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export function isClusterId(text: string): text is ClusterId {
  return CLUSTER_ID.test(text) && !text.includes('..');
}

export function newSnapName(volumeId: VolumeId, sequence: number, incremental: boolean): string {
  const random = String(randomInt(10 ** RANDOM_DIGITS)).padStart(RANDOM_DIGITS, '0');
  return `${volumeId}-${sequence}${random}${incremental ? '-incr' : ''}`;
}

/** undefined when no cloudsnap can be called so. */
export function parseSnapName(snapName: string): CloudsnapName | undefined {
  const [, volumeId = '', sequence, , incremental] = SNAP_NAME.exec(snapName) ?? [];
  if (!isVolumeId(volumeId)) return undefined;
  return { volumeId, sequence: Number(sequence), incremental: incremental !== undefined, snapName };
}

/** undefined when no cloudsnap can be called so. */
export function parseCloudsnapId(
  cloudsnapId: string,
): (CloudsnapName & { readonly clusterId: ClusterId }) | undefined {
  const slash = cloudsnapId.indexOf('/');
  const clusterId = cloudsnapId.slice(0, Math.max(slash, 0));
  const name = parseSnapName(cloudsnapId.slice(slash + 1));
  return name && isClusterId(clusterId) ? { ...name, clusterId } : undefined;
}

/** @throws CloudvolError `format/corrupt` when a stored record names a cloudsnap that cannot be. */
export function requireSnapName(snapName: string): CloudsnapName {
  const name = parseSnapName(snapName);
  if (!name) throw corrupt(`${JSON.stringify(snapName.slice(0, 100))} names no cloudsnap`);
  return name;
}
