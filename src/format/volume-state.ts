/**
 * `volume.json`: what a volume is and where its chains stand. One small record, replaced as a whole, so that a chain advances
 * in one atomic step. The file is an envelope with a SHA-256 over the exact text of the state.
 */
import { hash } from 'node:crypto';
import { CloudvolError } from '../base/errors.ts';

export const VOLUME_STATE_VERSION = 1;
/** Far above what a volume with many chains and labels needs; a larger file is not read. */
export const MAX_VOLUME_STATE_BYTES = 1 << 20;

/**
 * - `creating`: not acknowledged to anybody yet; removed when the agent starts
 * - `ready`: usable
 * - `deleting`: being removed; the removal is finished when the agent starts
 */
export const VOLUME_PHASES = ['creating', 'ready', 'deleting'] as const;
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
  /** The active epoch when the overlay was opened last; the present one is not below. */
  readonly epoch: number;
  /** Writes of epochs before this one may be unrecorded: a chain whose base is older needs a full. */
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
  readonly hydrate: boolean;
}

export interface AttachmentRecord {
  readonly loop: boolean;
  readonly mountPath: string | null;
  /** Made by `mount`, so that `unmount` takes it away again. */
  readonly byMount: boolean;
}

export function encodeVolumeState(state: VolumeState): string {
  const text = JSON.stringify(state, undefined, 2);
  return `${JSON.stringify({ version: VOLUME_STATE_VERSION, sha256: hash('sha256', text, 'hex') })}\n${text}\n`;
}

/** @throws CloudvolError `volume/corrupt-state` when the text is not a whole, unaltered state; `where` names the file. */
export function decodeVolumeState(content: string, where: string): VolumeState {
  const cut = content.indexOf('\n');
  const envelope = parse(content.slice(0, cut), where);
  const text = content.slice(cut + 1).trimEnd();
  if (cut < 0 || !isRecord(envelope)) throw corrupt(where, 'it has no envelope');
  if (envelope['version'] !== VOLUME_STATE_VERSION) {
    throw corrupt(where, `its version ${String(envelope['version'])} is not known here`);
  }
  if (envelope['sha256'] !== hash('sha256', text, 'hex'))
    throw corrupt(where, 'its checksum does not match');
  const state = parse(text, where);
  if (!isVolumeState(state)) throw corrupt(where, 'a field is missing or of the wrong kind');
  return state;
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw corrupt(where, 'it is not JSON', error);
  }
}

function corrupt(where: string, why: string, cause?: unknown): CloudvolError {
  return new CloudvolError('volume/corrupt-state', `${where} cannot be used: ${why}`, {
    hint: 'restore the file from a copy, or the volume from a cloudsnap',
    cause,
  });
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
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
const shape =
  (fields: Record<string, Check>): Check =>
  (value) =>
    isRecord(value) && Object.entries(fields).every(([name, check]) => check(value[name]));

const isState = shape({
  id: isText,
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
  backing: orNull(shape({ credentialId: isText, cloudsnapId: isText, hydrate: isFlag })),
  attachment: orNull(shape({ loop: isFlag, mountPath: orNull(isText), byMount: isFlag })),
});

function isVolumeState(value: unknown): value is VolumeState {
  return isState(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
