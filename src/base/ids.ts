import { randomBytes, randomUUID } from 'node:crypto';

/** Branded strings, so that one kind of id is not handed over where another is meant. */
export type VolumeId = string & { readonly __brand: 'VolumeId' };
export type TaskId = string & { readonly __brand: 'TaskId' };
export type CredentialId = string & { readonly __brand: 'CredentialId' };
export type ClusterId = string & { readonly __brand: 'ClusterId' };

/**
 * Random decimal below 2^63, as the specification's examples show them; a string, since it exceeds
 * 2^53.
 */
export function newVolumeId(): VolumeId {
  return randomDecimal() as VolumeId;
}
export function newTaskId(): TaskId {
  return randomUUID() as TaskId;
}
export function newCredentialId(): CredentialId {
  return randomUUID() as CredentialId;
}
export function newClusterId(): ClusterId {
  return randomUUID() as ClusterId;
}

export function randomDecimal(): string {
  // Never zero and never with a leading zero, so that the text is the number and sorts stay
  // readable.
  return (BigInt.asUintN(63, randomBytes(8).readBigUInt64BE()) | 1n).toString();
}

export function isVolumeId(text: string): text is VolumeId {
  return /^[1-9][0-9]{0,18}$/.test(text);
}
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}
