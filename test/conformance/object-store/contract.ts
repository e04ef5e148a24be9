import type { ExecutionContext } from 'ava';
import type { ObjectInfo, ObjectStore } from '../../../src/store/object-store.ts';

/** Registers one test of the contract; `run` gets an empty store. */
export type Contract = (
  title: string,
  run: (t: ExecutionContext, store: ObjectStore) => Promise<void>,
) => void;

export const bytesOf = (text: string) => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

export async function infosOf(store: ObjectStore, prefix = '', signal?: AbortSignal) {
  const infos: ObjectInfo[] = [];
  for await (const info of store.list(prefix, signal ? { signal } : {})) infos.push(info);
  return infos;
}

export async function keysOf(store: ObjectStore, prefix = ''): Promise<string[]> {
  return (await infosOf(store, prefix)).map(({ key }) => key);
}

/** Whether all bytes are the same: one version, not a mixture of two. */
export function isUniform(body: Uint8Array): boolean {
  return Buffer.alloc(body.length, body[0]).equals(body);
}

/** What put told may be the time of its answer, and a second is all that some stores give. */
const CLOCK_SLACK_MS = 2000;

export function isSameObject(found: ObjectInfo | undefined, put: ObjectInfo | undefined): boolean {
  return (
    found !== undefined &&
    found.key === put?.key &&
    found.sizeBytes === put.sizeBytes &&
    Math.abs(found.modifiedMs - put.modifiedMs) <= CLOCK_SLACK_MS
  );
}
