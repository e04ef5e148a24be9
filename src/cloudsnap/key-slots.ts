import { randomBytes } from 'node:crypto';
import type { ClusterId } from '../base/ids.ts';
import { sha256Hex } from '../base/sha256.ts';
import { decryptOnce, encryptOnce } from '../crypto/aead.ts';
import { DEFAULT_KDF, SALT_BYTES, deriveKey, isAcceptable } from '../crypto/kdf.ts';
import type { KdfParameters } from '../crypto/kdf.ts';
import { canonicalJson, type JsonValue } from '../format/canonical-json.ts';
import { corrupt } from '../format/corrupt.ts';
import { FORMAT_VERSION } from '../format/format-version.ts';
import { JsonFields } from '../format/json-fields.ts';

/** Eight slots of some three hundred bytes. */
export const MAX_KEYS_BYTES = 8 << 10;
export const MAX_SLOTS = 8;
const WRAPPED_BYTES = 48;

/** One passphrase's way to the master key. */
export interface KeySlot {
  readonly kdf: KdfParameters;
  /** Hex; random for each slot, so that the key that wraps is used once. */
  readonly salt: string;
  /** Hex: the master key in AES-256-GCM, everything else of the slot as AAD. */
  readonly wrappedKey: string;
}

/** The object `<cluster>/keys/<master key id>`. */
export interface KeySlots {
  readonly clusterId: ClusterId;
  readonly masterKeyId: string;
  readonly slots: readonly KeySlot[];
}

export function encodeKeySlots({ clusterId, masterKeyId, slots }: KeySlots): Uint8Array {
  const body = { clusterId, formatVersion: FORMAT_VERSION, masterKeyId, slots: slots.map(asJson) };
  return Buffer.from(
    canonicalJson({ ...body, sha256: sha256Hex(Buffer.from(canonicalJson(body))) }),
  );
}

/**
 * Takes only what encodeKeySlots makes, with parameters that are strong and affordable.
 * @throws CloudvolError `format/corrupt`
 */
export function decodeKeySlots(
  bytes: Uint8Array,
  clusterId: ClusterId,
  masterKeyId: string,
): KeySlots {
  const what = `the keys object ${masterKeyId}`;
  if (bytes.length > MAX_KEYS_BYTES) throw corrupt(`${what} is longer than any`);
  const value = parse(bytes, what);
  const names = ['clusterId', 'formatVersion', 'masterKeyId', 'sha256', 'slots'];
  const fields = new JsonFields(value, what, names);
  if (fields.count('formatVersion') !== FORMAT_VERSION) throw fields.wrong('formatVersion');
  fields.oneOf('clusterId', [clusterId]);
  fields.oneOf('masterKeyId', [masterKeyId]);
  const found = (value as { readonly slots: JsonValue }).slots;
  if (!Array.isArray(found) || found.length === 0 || found.length > MAX_SLOTS) {
    throw fields.wrong('slots');
  }
  const slots = (found as readonly JsonValue[]).map((slot) => readSlot(slot, what));
  const keys = { clusterId, masterKeyId, slots };
  if (!Buffer.from(bytes).equals(encodeKeySlots(keys))) {
    throw corrupt(`${what} has a checksum that does not fit, or is not in canonical form`);
  }
  return keys;
}

/** A slot by which the passphrase opens the master key. */
export async function wrapMasterKey(
  masterKey: Uint8Array,
  passphrase: string,
  { clusterId, masterKeyId }: Pick<KeySlots, 'clusterId' | 'masterKeyId'>,
): Promise<KeySlot> {
  const header = { kdf: DEFAULT_KDF, salt: randomBytes(SALT_BYTES).toString('hex') };
  const key = await deriveKey(passphrase, Buffer.from(header.salt, 'hex'), header.kdf);
  const wrapped = encryptOnce(key, slotAad(clusterId, masterKeyId, header), masterKey);
  return { ...header, wrappedKey: Buffer.from(wrapped).toString('hex') };
}

/** The master key and the slot it came of; undefined when the passphrase opens none. */
export async function unwrapMasterKey(
  { clusterId, masterKeyId, slots }: KeySlots,
  passphrase: string,
): Promise<{ readonly masterKey: Uint8Array; readonly slot: KeySlot } | undefined> {
  for (const slot of slots) {
    const key = await deriveKey(passphrase, Buffer.from(slot.salt, 'hex'), slot.kdf);
    const wrapped = Buffer.from(slot.wrappedKey, 'hex');
    const masterKey = decryptOnce(key, slotAad(clusterId, masterKeyId, slot), wrapped);
    if (masterKey) return { masterKey, slot };
  }
  return undefined;
}

function slotAad(
  clusterId: ClusterId,
  masterKeyId: string,
  { kdf, salt }: Pick<KeySlot, 'kdf' | 'salt'>,
): Uint8Array {
  const header = { clusterId, formatVersion: FORMAT_VERSION, kdf: { ...kdf }, masterKeyId, salt };
  return Buffer.from(canonicalJson(header));
}

function asJson({ kdf, salt, wrappedKey }: KeySlot): JsonValue {
  return { kdf: { ...kdf }, salt, wrappedKey };
}

function readSlot(value: JsonValue, what: string): KeySlot {
  const fields = new JsonFields(value, `${what}: slot`, ['kdf', 'salt', 'wrappedKey']);
  return {
    kdf: readKdf(fields, (value as { readonly kdf: JsonValue }).kdf),
    salt: fields.text('salt', (text) => isHex(text, SALT_BYTES)),
    wrappedKey: fields.text('wrappedKey', (text) => isHex(text, WRAPPED_BYTES)),
  };
}

function readKdf(slot: JsonFields, value: JsonValue): KdfParameters {
  const isScrypt =
    typeof value === 'object' && value !== null && 'name' in value && value['name'] === 'scrypt';
  const kdf = isScrypt ? readScrypt(slot) : readArgon2(slot);
  if (!isAcceptable(kdf)) throw slot.wrong('kdf');
  return kdf;
}

function readScrypt(slot: JsonFields): KdfParameters {
  const fields = slot.object('kdf', ['name', 'n', 'p', 'r']);
  const [n, r, p] = [fields.count('n'), fields.count('r'), fields.count('p')];
  return { name: fields.oneOf('name', ['scrypt']), n, r, p };
}

function readArgon2(slot: JsonFields): KdfParameters {
  const fields = slot.object('kdf', ['name', 'memoryKib', 'parallelism', 'passes']);
  return {
    name: fields.oneOf('name', ['argon2id']),
    memoryKib: fields.count('memoryKib'),
    passes: fields.count('passes'),
    parallelism: fields.count('parallelism'),
  };
}

function isHex(text: string, bytes: number): boolean {
  return text.length === 2 * bytes && /^[0-9a-f]*$/.test(text);
}

function parse(bytes: Uint8Array, what: string): JsonValue {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as JsonValue;
  } catch (error) {
    throw corrupt(`${what} is not JSON`, error);
  }
}
