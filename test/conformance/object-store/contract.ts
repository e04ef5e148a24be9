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
