/**
 * `volume.json`: what a volume is and where its chains stand. One small record, replaced as a
 * whole, so that a chain advances in one atomic step. The file is a line with version and SHA-256,
 * then the exact text that the hash is about, then a newline.
 */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { CloudvolError } from '../base/errors.ts';
import { isVolumeId } from '../base/ids.ts';

export const VOLUME_STATE_VERSION = 1;
/** Far above what a volume with many chains and labels needs; a larger one is refused, unread. */
export const MAX_VOLUME_STATE_BYTES = 1 << 20;

/**
 * - `creating`: not acknowledged to anybody yet; removed when the agent starts
 * - `ready`: usable
 */
export const VOLUME_PHASES = ['creating', 'ready'] as const;
export type VolumePhase = (typeof VOLUME_PHASES)[number];

export interface VolumeState {
  readonly id: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly fileSystem: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdMs: number;
  readonly phase: VolumePhase;
  /** Somebody may be writing: live bits count, durable deltas alone do not. */
  readonly inUse: boolean;
  /** Names the volume's current life; live bits of another one are worth nothing. */
  readonly session: string;
  readonly bootId: string;
  /**
   * The active epoch when the overlay was opened, closed, or a chain changed last: of these the
   * latest. The present one is not below, and from here on no sealed delta was dropped.
   */
  readonly epoch: number;
  /** Writes of epochs before this may be unrecorded: a chain with an older base needs a full. */
  readonly bitsLostBefore: number;
  readonly chains: readonly ChainRecord[];
  readonly pendingCommits: readonly PendingRecord[];
  readonly backing: BackingRecord | null;
  /** What to make reachable again when the agent starts. */
  readonly attachment: AttachmentRecord | null;
}

export interface ChainRecord {
  readonly repositoryId: string;
  readonly baseEpoch: number;
  readonly cloudsnapId: string;
  readonly manifestSha256: string;
  readonly sequence: number;
  readonly incrementals: number;
}

export interface PendingRecord {
  readonly repositoryId: string;
  readonly cloudsnapId: string;
  readonly epoch: number;
  readonly createdMs: number;
}

export interface BackingRecord {
  readonly credentialId: string;
  readonly cloudsnapId: string;
  /** Whether the agent fills it in the background; false while that is paused. */
  readonly hydrate: boolean;
  /** Of the filling in the background; without it there is no limit. */
  readonly rateBytesPerSecond?: number;
  /** How long a reader waits for an absent block; without it, for ever. */
  readonly absentTimeoutMs?: number;
}

export interface AttachmentRecord {
  readonly loop: boolean;
  readonly mountPath: string | null;
  /** Made by `mount`, so that `unmount` takes it away again. */
  readonly byMount: boolean;
}

/** @throws CloudvolError `volume/bad-labels` when they make it larger than a reader would take. */
export function encodeVolumeState(state: VolumeState): string {
  assert(isVolumeState(state), 'what is written can be read again');
  const content = withEnvelope(JSON.stringify(state, undefined, 2));
  if (Buffer.byteLength(content) <= MAX_VOLUME_STATE_BYTES) return content;
  throw new CloudvolError('volume/bad-labels', `volume ${state.name} has too many labels`, {
    hint: 'give it fewer or shorter labels',
  });
}

/**
 * @param where names the file in errors
 * @throws CloudvolError `volume/corrupt-state` when the text is not a whole, unaltered state
 */
export function decodeVolumeState(content: string, where: string): VolumeState {
  if (content.length > MAX_VOLUME_STATE_BYTES) throw corruptVolumeState(where, 'it is too large');
  const text = content.slice(content.indexOf('\n') + 1, -1);
  if (content !== withEnvelope(text)) throw corruptVolumeState(where, reasonOf(content));
  const state = parse(text, where);
  if (isVolumeState(state)) return state;
  throw corruptVolumeState(where, 'a field is missing or of the wrong kind');
}

function withEnvelope(text: string): string {
  const envelope = { version: VOLUME_STATE_VERSION, sha256: hash('sha256', text, 'hex') };
  return `${JSON.stringify(envelope)}\n${text}\n`;
}

/** A version of another time is worth telling from damage. */
function reasonOf(content: string): string {
  const version = /^\{"version":([0-9]{1,9}),/.exec(content)?.[1];
  return version === undefined || Number(version) === VOLUME_STATE_VERSION
    ? 'its checksum does not match'
    : `its version ${version} is not known here`;
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw corruptVolumeState(where, 'it is not JSON', error);
  }
}

export function corruptVolumeState(where: string, why: string, cause?: unknown): CloudvolError {
  return new CloudvolError('volume/corrupt-state', `${where} cannot be used: ${why}`, {
    hint: 'restore the file from a copy, or the volume from a cloudsnap',
    cause,
  });
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isPositive: Check = (value) => isCount(value) && value !== 0;
const isFlag: Check = (value) => typeof value === 'boolean';
const isLabels: Check = (value) => isRecord(value) && Object.values(value).every(isText);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
/** @param later fields that records of earlier times do not have. */
const shape =
  (fields: Record<string, Check>, later: Record<string, Check> = {}): Check =>
  (value) =>
    isRecord(value) &&
    Object.keys(value).every((name) => Object.hasOwn(fields, name) || Object.hasOwn(later, name)) &&
    Object.entries(fields).every(([name, check]) => check(value[name])) &&
    Object.entries(later).every(
      ([name, check]) => !Object.hasOwn(value, name) || check(value[name]),
    );

const isState = shape({
  id: (value) => typeof value === 'string' && isVolumeId(value),
  name: isText,
  sizeBytes: isCount,
  blockBytes: isCount,
  fileSystem: isText,
  labels: isLabels,
  createdMs: isCount,
  phase: (value) => VOLUME_PHASES.some((phase) => phase === value),
  inUse: isFlag,
  session: isText,
  bootId: isText,
  epoch: isCount,
  bitsLostBefore: isCount,
  chains: listOf(
    shape({
      repositoryId: isText,
      baseEpoch: isCount,
      cloudsnapId: isText,
      manifestSha256: isText,
      sequence: isCount,
      incrementals: isCount,
    }),
  ),
  pendingCommits: listOf(
    shape({ repositoryId: isText, cloudsnapId: isText, epoch: isCount, createdMs: isCount }),
  ),
  backing: orNull(
    shape(
      { credentialId: isText, cloudsnapId: isText, hydrate: isFlag },
      { rateBytesPerSecond: isPositive, absentTimeoutMs: isPositive },
    ),
  ),
  attachment: orNull(shape({ loop: isFlag, mountPath: orNull(isText), byMount: isFlag })),
});

function isVolumeState(value: unknown): value is VolumeState {
  return isState(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
