import assert from 'node:assert/strict';
import type { CloudvolError } from '../base/errors.ts';
import { storeError } from './store-error.ts';

/** Bytes `offset … offset + length - 1`; length > 0. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** A range that no object can have is a fault in the program, not in the object. */
export function assertRange(range: ByteRange | undefined): void {
  if (!range) return;
  assert(Number.isSafeInteger(range.offset) && range.offset >= 0, 'a range begins at 0 or above');
  assert(Number.isSafeInteger(range.length) && range.length > 0, 'a range has at least one byte');
}

/**
 * What to read of an object: the range, or all of it.
 * @throws CloudvolError `store/range` when the object ends before the range does.
 */
export function resolveRange(
  key: string,
  range: ByteRange | undefined,
  sizeBytes: number,
): ByteRange {
  if (!range) return { offset: 0, length: sizeBytes };
  if (range.offset + range.length > sizeBytes) throw beyondEnd(key, range, sizeBytes);
  return range;
}

function beyondEnd(key: string, range: ByteRange, sizeBytes: number): CloudvolError {
  const { offset, length } = range;
  return storeError(
    'store/range',
    `${key} has ${sizeBytes} bytes, too few to read ${length} at ${offset}`,
    { details: { key, offset, length, sizeBytes } },
  );
}
