/**
 * What the JSON API says about objects. An answer that is not in its words, as of a proxy that
 * nobody expected, is no answer: a listing must never look empty by mistake.
 */
import type { ObjectInfo } from '../object-store.ts';
import { ForeignAnswer } from '../store-meaning.ts';

/** What is asked for of an object, and of a listing. */
export const INFO_FIELDS = 'kind,name,size,updated';
export const LIST_FIELDS = `kind,items(${INFO_FIELDS}),nextPageToken`;

export interface ListingPage {
  readonly infos: readonly ObjectInfo[];
  readonly nextPageToken: string | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

/** @throws ForeignAnswer */
export function readInfo(value: unknown): ObjectInfo {
  const { name, size, updated } = fieldsOf(value, 'storage#object');
  const sizeBytes = typeof size === 'string' || typeof size === 'number' ? Number(size) : -1;
  if (typeof name !== 'string' || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw new ForeignAnswer();
  }
  const modifiedMs = typeof updated === 'string' ? Date.parse(updated) : Number.NaN;
  // What has no time counts as new, so that nothing is removed for its age.
  const time = Number.isNaN(modifiedMs) ? Date.now() : modifiedMs;
  return { key: name, sizeBytes, modifiedMs: time };
}

/** @throws ForeignAnswer */
export function readPage(value: unknown): ListingPage {
  const { items = [], nextPageToken } = fieldsOf(value, 'storage#objects');
  if (!Array.isArray(items)) throw new ForeignAnswer();
  const token = typeof nextPageToken === 'string' && nextPageToken ? nextPageToken : undefined;
  return { infos: items.map(readInfo), nextPageToken: token };
}

function fieldsOf(value: unknown, kind: string): Fields {
  const isObject = typeof value === 'object' && value !== null;
  if (isObject && 'kind' in value && value.kind === kind) return value;
  throw new ForeignAnswer();
}
