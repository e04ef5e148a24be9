import { CloudvolError, hasCode } from '../base/errors.ts';
import type { Sealing } from '../format/envelope.ts';
import { MAX_STORED_MANIFEST_BYTES, decodeManifest } from '../format/manifest-codec.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { MAX_ABORTED_BYTES, decodeAborted } from './aborted-record.ts';
import { parseManifestKey } from './object-keys.ts';

export interface EncodedManifest {
  readonly bytes: Uint8Array;
  /** How it was encrypted; undefined: not. */
  readonly sealing: Sealing | undefined;
}

/**
 * Puts a manifest where there is none. When the put fails, looks whose manifest is there: a lost
 * answer is a success. On a store without conditional puts it looks first and then puts, which
 * holds between the cloudsnaps of one host, but is no fence between two hosts.
 * @throws CloudvolError `cloudsnap/lost-race` when another writer's manifest is there for certain:
 * this one will never be. After any other error it may be there, or may yet come to be;
 * `cloudsnap/in-doubt` when there is one for certain and only its owner is not known.
 */
export async function publishManifest(
  store: ObjectStore,
  key: string,
  { bytes, sealing }: EncodedManifest,
  signal: AbortSignal,
): Promise<void> {
  const ifAbsent = store.capabilities.conditionalPut;
  if (!ifAbsent && (await store.head(key, { signal }))) throw lostRace(key);
  try {
    await store.put(key, bytes, { ifAbsent, signal });
  } catch (error) {
    const occupant = await lookFor(store, key, { bytes, sealing }, signal);
    if (occupant === 'ours') return;
    // Without a condition, a put that is still on its way would replace what is there now.
    if (occupant === 'another' && ifAbsent) throw lostRace(key, error);
    throw hasCode(error, 'store/exists') ? inDoubt(key, error) : error;
  }
}

type Occupant = 'ours' | 'another' | 'unknown';

/** One look may meet a garbled body or a store that is busy. */
const LOOKS = 3;

async function lookFor(
  store: ObjectStore,
  key: string,
  manifest: EncodedManifest,
  signal: AbortSignal,
): Promise<Occupant> {
  for (let look = 1; ; look++) {
    const occupant = await occupantOf(store, key, manifest, signal);
    if (occupant !== 'unknown' || look === LOOKS || signal.aborted) return occupant;
  }
}

/**
 * Whose manifest lies there. Objects are removed on the word of `another`, so it takes a sound
 * manifest of another cloudsnap with another root, or a sound record that gives the number up.
 * `store/exists` alone is no proof: a repeated put of our own ends with it, too. Nor are other
 * bytes, since a body may be garbled on its way.
 */
async function occupantOf(
  store: ObjectStore,
  key: string,
  { bytes, sealing }: EncodedManifest,
  signal: AbortSignal,
): Promise<Occupant> {
  try {
    const info = await store.head(key, { signal });
    if (!info || info.sizeBytes === 0 || info.sizeBytes > MAX_STORED_MANIFEST_BYTES)
      return 'unknown';
    const range = { offset: 0, length: info.sizeBytes };
    const found = await store.get(key, { range, signal });
    if (Buffer.compare(found, bytes) === 0) return 'ours';
    if (isAborted(key, found, sealing)) return 'another';
    const [theirs, ours] = [decodeManifest(found, sealing), decodeManifest(bytes, sealing)];
    const isOther =
      theirs.cloudsnapId !== ours.cloudsnapId && theirs.root.sha256 !== ours.root.sha256;
    return isOther ? 'another' : 'unknown';
  } catch {
    // The put's own error says more than that of this look, and is what the caller throws.
    return 'unknown';
  }
}

function isAborted(key: string, found: Uint8Array, sealing: Sealing | undefined): boolean {
  const place = parseManifestKey(key);
  if (!place || found.length > MAX_ABORTED_BYTES) return false;
  try {
    decodeAborted(found, place, sealing);
    return true;
  } catch {
    // Then it is a manifest, or garbled: the caller looks at it as such.
    return false;
  }
}

function lostRace(key: string, cause?: unknown): CloudvolError {
  return new CloudvolError('cloudsnap/lost-race', `another writer was first to put ${key}`, {
    hint: 'let one host at a time back up a volume, then try again',
    details: { key },
    ...(cause === undefined ? {} : { cause }),
  });
}

function inDoubt(key: string, cause: unknown): CloudvolError {
  return new CloudvolError(
    'cloudsnap/in-doubt',
    `whose manifest is at ${key} cannot be found out`,
    {
      hint: 'try again: the next backup of the volume looks first',
      details: { key },
      cause,
    },
  );
}
