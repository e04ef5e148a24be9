/**
 * What a key may look like. One rule for every backend, the strictest of each, so that a repository
 * can be copied from one to another key by key:
 *
 * - 1 … MAX_KEY_BYTES bytes of well-formed Unicode (S3, Google: 1,024 bytes of UTF-8; Azure: 1,024
 *   characters);
 * - segments between slashes are not empty, have at most MAX_SEGMENT_BYTES, and do not end in a dot
 *   (Azure drops such dots; this also shuts out `.` and `..`);
 * - no control characters, U+FFFE or U+FFFF (an XML 1.0 listing cannot carry them), no backslash
 *   (Azure's client makes it a slash).
 */
import { storeError } from './store-error.ts';
import { MAX_KEY_BYTES } from './object-store.ts';

/** Longest file name of ext4, XFS, btrfs and tmpfs (NAME_MAX in linux/limits.h). */
export const MAX_SEGMENT_BYTES = 255;

// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u001f\u007f\\\ufffe\uffff]/;
/** As much of a bad key as an error shows: it may be megabytes of anything. */
const SHOWN_CHARACTERS = 80;

/** @throws CloudvolError `store/bad-key` naming the rule that the key breaks. */
export function checkKey(key: string): void {
  const broken = key === '' ? 'is empty' : (brokenText(key) ?? brokenSegment(key.split('/')));
  if (broken) throw badKey(key, broken);
}

/**
 * A prefix is the beginning of a key, so its last segment may be cut off anywhere; the empty prefix
 * means every key.
 * @throws CloudvolError `store/bad-key` when no key can begin so.
 */
export function checkPrefix(prefix: string): void {
  const broken = brokenText(prefix) ?? brokenSegment(prefix.split('/').slice(0, -1));
  if (broken) throw badKey(prefix, broken);
}

/** Whether a file of this name can be a part of a key. */
export function isKeySegment(name: string): boolean {
  return name !== '' && brokenText(name) === undefined && brokenSegment([name]) === undefined;
}

/**
 * Everything before the last slash, and what follows it; the folder of a key without a slash is
 * `''`.
 */
export function splitKey(key: string): { readonly folder: string; readonly name: string } {
  const slash = key.lastIndexOf('/');
  return { folder: key.slice(0, Math.max(slash, 0)), name: key.slice(slash + 1) };
}

/** Orders keys as the contract's listing does: by their UTF-8 bytes, which is by code points. */
export function compareKeys(left: string, right: string): number {
  const shared = Math.min(left.length, right.length);
  for (let index = 0; index < shared; index++) {
    const difference =
      codePointRank(left.charCodeAt(index)) - codePointRank(right.charCodeAt(index));
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/**
 * UTF-16 sorts surrogates, which stand for U+10000 and above, before U+E000 … U+FFFF: move them
 * behind.
 */
function codePointRank(codeUnit: number): number {
  if (codeUnit < 0xd800) return codeUnit;
  return codeUnit < 0xe000 ? codeUnit + 0x2000 : codeUnit - 0x800;
}

function brokenText(text: string): string | undefined {
  if (Buffer.byteLength(text) > MAX_KEY_BYTES) return `is longer than ${MAX_KEY_BYTES} bytes`;
  if (!text.isWellFormed()) return 'is not well-formed Unicode';
  if (FORBIDDEN.test(text)) return 'has a control character or a backslash';
  return undefined;
}

function brokenSegment(segments: readonly string[]): string | undefined {
  if (segments.includes('')) return 'begins or ends with a slash, or has two in a row';
  if (segments.some((segment) => segment.endsWith('.'))) return 'has a part that ends in a dot';
  if (segments.some((segment) => Buffer.byteLength(segment) > MAX_SEGMENT_BYTES)) {
    return `has a part longer than ${MAX_SEGMENT_BYTES} bytes`;
  }
  return undefined;
}

function badKey(key: string, broken: string) {
  const shown = JSON.stringify(
    key.length > SHOWN_CHARACTERS ? `${key.slice(0, SHOWN_CHARACTERS)}…` : key,
  );
  return storeError('store/bad-key', `the object key ${shown} ${broken}`);
}
