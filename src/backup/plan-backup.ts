import { CloudvolError } from '../base/errors.ts';
import type { Extent } from '../base/extent.ts';
import type { Geometry } from '../base/geometry.ts';
import type { CloudsnapEntry, RepairPlan } from '../cloudsnap/cloudsnap-api.ts';
import type { ChainTip, FullReason, PendingCommit } from '../volume/volume-api.ts';
import { tipOf } from './chain-tip.ts';

/**
 * Cloudsnaps from one full to the next: "After 6 incremental backups, every 7th backup is a full
 * backup."
 */
export const DEFAULT_FREQUENCY = 7;

export interface PlanInput {
  /** What the volume holds to be the end of its chain in this repository. */
  readonly tip: ChainTip | undefined;
  readonly pending: PendingCommit | undefined;
  /** The visible cloudsnaps of this volume in this repository, ascending by sequence. */
  readonly visible: readonly CloudsnapEntry[];
  readonly geometry: Geometry;
  /** Cloudsnaps from one full to the next, 1 or more. */
  readonly frequency: number;
  /** A full one was asked for. */
  readonly full: boolean;
  readonly deltasCompleteSince: (baseEpoch: number) => boolean;
}

interface Adoption {
  /**
   * Commit this to the volume first: a cloudsnap that was published without the volume having noted
   * it.
   */
  readonly adopt?: ChainTip;
}
export interface FullPlan extends Adoption {
  readonly kind: 'full';
  readonly reason: FullReason;
  /** The reason, for people. */
  readonly sentence: string;
}
export interface IncrementalPlan extends Adoption {
  readonly kind: 'incremental';
  readonly base: ChainTip;
  readonly parent: CloudsnapEntry;
  /** What is damaged in the parent and written again; see planRepair. */
  readonly repair?: RepairPlan;
  /** The blocks of `repair`: the view holds them besides what changed. */
  readonly also?: readonly Extent[];
}
export type BackupPlan = FullPlan | IncrementalPlan;

/**
 * Decides whether the next cloudsnap is full or incremental. An incremental follows only the newest
 * visible cloudsnap, and only if that one is, by id and SHA-256, the end of the volume's chain: so
 * no parent ever has two children, and no delta is ever laid over a state that it does not belong
 * to. Any doubt is a full one.
 * @throws CloudvolError `backup/bad-frequency`
 */
export function planBackup(input: PlanInput): BackupPlan {
  requireFrequency(input.frequency);
  const adopt = adoptableTip(input);
  const tip = adopt ?? input.tip;
  const decision = decide({ ...input, tip });
  return adopt ? { ...decision, adopt } : decision;
}

/**
 * The chain's end after a crash between publishing a cloudsnap and noting it, if the volume's
 * record settles it.
 */
function adoptableTip({ tip, pending, visible }: PlanInput): ChainTip | undefined {
  const newest = visible.at(-1);
  if (!pending || !newest) return undefined;
  const { cloudsnapId, createdMs, sequence, parent } = newest.manifest;
  if (cloudsnapId !== pending.cloudsnapId || createdMs !== pending.createdMs) return undefined;
  // The record outlives a commit that was noted by its successor: nothing is in doubt then.
  if (tip && sequence <= tip.sequence) return undefined;
  const follows =
    parent?.cloudsnapId === tip?.cloudsnapId && parent?.manifestSha256 === tip?.manifestSha256;
  if (parent && !follows) return undefined;
  return tipOf(newest, pending.repositoryId, pending.epoch);
}

function decide(input: PlanInput): FullPlan | IncrementalPlan {
  const { tip, visible, geometry, frequency } = input;
  const parent = visible.at(-1);
  if (!tip && !parent) return fullBecause('first', 'it is the first of this volume here');
  if (!tip) return fullBecause('chain-unknown', `this volume has no record of ${idOf(parent)}`);
  const known = visible.find((entry) => entry.manifest.cloudsnapId === tip.cloudsnapId);
  if (!known) {
    return fullBecause('parent-missing', `${tip.cloudsnapId} is no longer in the repository`);
  }
  if (known.manifestSha256 !== tip.manifestSha256) {
    return fullBecause('parent-missing', `${tip.cloudsnapId} is not the one that was uploaded`);
  }
  if (!parent || parent !== known) {
    return fullBecause('chain-unknown', `${idOf(parent)} is newer than what this volume knows`);
  }
  if (!input.deltasCompleteSince(tip.baseEpoch)) {
    return fullBecause(
      'bits-lost',
      `what changed since ${tip.cloudsnapId} is not completely known`,
    );
  }
  if (!fits(geometry, parent)) {
    return fullBecause('geometry-changed', `the volume's shape differs from ${tip.cloudsnapId}`);
  }
  if (input.full) return fullBecause('requested', 'it was asked for');
  if (parent.manifest.incrementals + 1 >= frequency) {
    return fullBecause('period', `every ${frequency} cloudsnaps one is full`);
  }
  return { kind: 'incremental', base: tip, parent };
}

/** A volume may have grown since: the new blocks are zero in the parent. */
function fits(geometry: Geometry, parent: CloudsnapEntry): boolean {
  const { blockBytes, sizeBytes } = parent.manifest.volume;
  return blockBytes === geometry.blockBytes && sizeBytes <= geometry.sizeBytes;
}

function idOf(entry: CloudsnapEntry | undefined): string {
  return entry?.manifest.cloudsnapId ?? 'no cloudsnap';
}

/** @param why a clause, for people */
export function fullBecause(reason: FullReason, why: string): FullPlan {
  return { kind: 'full', reason, sentence: `This cloudsnap is a full one because ${why}.` };
}

function requireFrequency(frequency: number): void {
  if (Number.isSafeInteger(frequency) && frequency >= 1) return;
  throw new CloudvolError(
    'backup/bad-frequency',
    `a full cloudsnap every ${frequency} cloudsnaps is not possible`,
    {
      hint: `give a whole number from 1 on; the default is ${DEFAULT_FREQUENCY}`,
    },
  );
}
