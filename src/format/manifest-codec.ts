import assert from 'node:assert/strict';
import { CloudvolError } from '../base/errors.ts';
import { geometryOf } from '../base/geometry.ts';
import { isVolumeId, type ClusterId, type VolumeId } from '../base/ids.ts';
import { canonicalJson, type JsonValue } from './canonical-json.ts';
import { MAX_SEQUENCE, parseCloudsnapId } from './cloudsnap-id.ts';
import { corrupt } from './corrupt.ts';
import { ENVELOPE_BYTES, seal, unseal, type Sealing } from './envelope.ts';
import { FORMAT_VERSION } from './format-version.ts';
import { MAX_ROOT_BYTES } from './index-root-codec.ts';
import { JsonFields } from './json-fields.ts';
import { CLOUDSNAP_TYPES, CONSISTENCIES, type Manifest } from './manifest.ts';
import { isRootObject } from './root-object.ts';

/** Room for every label that can be (64 of 255 bytes twice) and a list that stays quick. */
export const MAX_MANIFEST_BYTES = 64 << 10;
/** With the envelope of an encrypted one. */
export const MAX_STORED_MANIFEST_BYTES = MAX_MANIFEST_BYTES + ENVELOPE_BYTES;
const MAX_LABELS = 64;
const MAX_TEXT_BYTES = 255;
/** The last instant that a Date can hold. */
const MAX_TIME_MS = 8.64e15;

/**
 * @param sealing of an encrypted repository; undefined for a manifest without a master key id.
 * @throws CloudvolError `format/too-large` when labels and names do not fit.
 */
export function encodeManifest(manifest: Manifest, sealing?: Sealing): Uint8Array {
  assert(manifest.masterKeyId === sealing?.cipher.masterKeyId, 'a manifest names its master key');
  const record = encodeManifestRecord(manifest);
  return sealing ? seal('CVMF', record, sealing) : record;
}

function encodeManifestRecord(manifest: Manifest): Uint8Array {
  const bytes = Buffer.from(canonicalJson(manifest as unknown as JsonValue), 'utf8');
  if (bytes.length <= MAX_MANIFEST_BYTES) return bytes;
  throw new CloudvolError(
    'format/too-large',
    `the manifest of ${manifest.cloudsnapId} would have ${bytes.length} bytes`,
    { hint: 'use fewer or shorter labels' },
  );
}

/**
 * Takes exactly what encodeManifest makes: every field, no other, in canonical form, and in
 * agreement with each other.
 * @throws CloudvolError `format/corrupt`, or `format/unsupported` for another version.
 */
export function decodeManifest(bytes: Uint8Array, sealing?: Sealing): Manifest {
  const record = sealing ? unseal('CVMF', bytes, MAX_MANIFEST_BYTES, sealing) : bytes;
  return decodeManifestRecord(record, sealing?.cipher.masterKeyId);
}

function decodeManifestRecord(bytes: Uint8Array, masterKeyId: string | undefined): Manifest {
  if (bytes.length > MAX_MANIFEST_BYTES) {
    throw corrupt(`a manifest of ${bytes.length} bytes is longer than any`);
  }
  const value = parse(bytes);
  refuseOtherVersion(value);
  const manifest = readManifest(value, masterKeyId);
  checkAgreement(manifest);
  // Catches what JSON.parse forgives: duplicate keys, white space, other spellings of a number or a
  // text.
  if (!Buffer.from(bytes).equals(encodeManifestRecord(manifest))) {
    throw corrupt('the manifest is not in canonical form');
  }
  return manifest;
}

function parse(bytes: Uint8Array): JsonValue {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as JsonValue;
  } catch (error) {
    throw corrupt('the manifest is not JSON', error);
  }
}

function refuseOtherVersion(value: JsonValue): void {
  if (typeof value !== 'object' || value === null || !('formatVersion' in value)) return;
  const version = value['formatVersion'];
  if (version === FORMAT_VERSION || typeof version !== 'number') return;
  throw new CloudvolError(
    'format/unsupported',
    `the cloudsnap has format version ${version}, ` +
      `and this cloudvol reads version ${FORMAT_VERSION}`,
    { hint: 'use a newer cloudvol' },
  );
}

function readManifest(value: JsonValue, masterKeyId: string | undefined): Manifest {
  const isEncrypted = masterKeyId !== undefined;
  const fields = new JsonFields(value, 'the manifest', [
    'formatVersion',
    ...(isEncrypted ? ['masterKeyId'] : []),
    'cloudsnapId',
    'clusterId',
    'sequence',
    'parent',
    'incrementals',
    'fullReason',
    'volume',
    'createdMs',
    'type',
    'consistency',
    'root',
    'statistics',
  ]);
  if (fields.count('formatVersion') !== FORMAT_VERSION) throw fields.wrong('formatVersion');
  return {
    formatVersion: FORMAT_VERSION,
    ...(isEncrypted ? { masterKeyId: fields.oneOf('masterKeyId', [masterKeyId]) } : {}),
    cloudsnapId: fields.text('cloudsnapId', isCloudsnapId),
    clusterId: fields.text('clusterId', isShortText) as ClusterId,
    sequence: fields.count('sequence', MAX_SEQUENCE),
    parent: fields.isNull('parent') ? null : readParent(fields),
    incrementals: fields.count('incrementals', MAX_SEQUENCE),
    fullReason: fields.isNull('fullReason') ? null : fields.text('fullReason', isWord),
    volume: readVolume(fields),
    createdMs: fields.count('createdMs', MAX_TIME_MS),
    type: fields.oneOf('type', CLOUDSNAP_TYPES),
    consistency: fields.oneOf('consistency', CONSISTENCIES),
    root: readRoot(fields),
    statistics: readStatistics(fields),
  };
}

function readParent(manifest: JsonFields): Manifest['parent'] {
  const fields = manifest.object('parent', ['cloudsnapId', 'manifestSha256']);
  return {
    cloudsnapId: fields.text('cloudsnapId', isCloudsnapId),
    manifestSha256: fields.text('manifestSha256', isSha256),
  };
}

function readVolume(manifest: JsonFields): Manifest['volume'] {
  const fields = manifest.object('volume', [
    'id',
    'name',
    'sizeBytes',
    'blockBytes',
    'fileSystem',
    'labels',
  ]);
  const volume = {
    id: fields.text('id', isVolumeId) as VolumeId,
    name: fields.text('name', isName),
    sizeBytes: fields.count('sizeBytes'),
    blockBytes: fields.count('blockBytes'),
    fileSystem: fields.text('fileSystem', isWord),
    labels: fields.texts('labels', MAX_LABELS, isShortText),
  };
  try {
    geometryOf(volume.sizeBytes, volume.blockBytes);
  } catch (error) {
    throw corrupt('the manifest describes a volume that cannot be', error);
  }
  return volume;
}

function readRoot(manifest: JsonFields): Manifest['root'] {
  const fields = manifest.object('root', ['object', 'lengthBytes', 'sha256']);
  const root = {
    object: fields.text('object', isRootObject),
    lengthBytes: fields.count('lengthBytes', MAX_ROOT_BYTES),
    sha256: fields.text('sha256', isSha256),
  };
  if (root.lengthBytes === 0) throw fields.wrong('lengthBytes');
  return root;
}

function readStatistics(manifest: JsonFields): Manifest['statistics'] {
  const fields = manifest.object('statistics', [
    'plannedBlocks',
    'zeroBlocks',
    'unchangedBlocks',
    'uploadedBlocks',
    'uploadedPlainBytes',
    'storedBytes',
    'packs',
  ]);
  return {
    plannedBlocks: fields.count('plannedBlocks'),
    zeroBlocks: fields.count('zeroBlocks'),
    unchangedBlocks: fields.count('unchangedBlocks'),
    uploadedBlocks: fields.count('uploadedBlocks'),
    uploadedPlainBytes: fields.count('uploadedPlainBytes'),
    storedBytes: fields.count('storedBytes'),
    packs: fields.count('packs'),
  };
}

/** What the fields say of one another. */
function checkAgreement(manifest: Manifest): void {
  const { parent, incrementals, fullReason, volume, statistics } = manifest;
  const name = parseCloudsnapId(manifest.cloudsnapId);
  const isFull = parent === null;
  const agrees =
    name?.clusterId === manifest.clusterId &&
    name.volumeId === volume.id &&
    name.sequence === manifest.sequence &&
    name.incremental === !isFull &&
    isFull === (incrementals === 0) &&
    isFull === (fullReason !== null);
  if (!agrees) throw corrupt(`the manifest of ${manifest.cloudsnapId} contradicts itself`);
  const parentName = parent && parseCloudsnapId(parent.cloudsnapId);
  const isParent =
    !parentName ||
    (parentName.clusterId === manifest.clusterId &&
      parentName.volumeId === volume.id &&
      parentName.sequence < manifest.sequence);
  if (!isParent) throw corrupt(`${manifest.cloudsnapId} names a parent that cannot be`);
  const accounted = statistics.zeroBlocks + statistics.unchangedBlocks + statistics.uploadedBlocks;
  if (
    accounted !== statistics.plannedBlocks ||
    statistics.uploadedPlainBytes !== statistics.uploadedBlocks * volume.blockBytes
  ) {
    throw corrupt(`the statistics of ${manifest.cloudsnapId} do not add up`);
  }
}

function isCloudsnapId(text: string): boolean {
  return parseCloudsnapId(text) !== undefined;
}

function isSha256(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** Words that later versions may add to: `ext4`, `parent-missing`. */
function isWord(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,31}$/.test(text);
}

function isShortText(text: string): boolean {
  return text.isWellFormed() && Buffer.byteLength(text, 'utf8') <= MAX_TEXT_BYTES;
}

/** Shown to people and used by a restore: no control characters, no slash, not empty. */
function isName(text: string): boolean {
  return isShortText(text) && /^[^\p{Cc}/]+$/u.test(text);
}
