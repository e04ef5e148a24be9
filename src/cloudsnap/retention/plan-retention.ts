/**
 * Decides which cloudsnaps of one volume are kept. Pure: what it is told is all that it knows.
 *
 * - Newer and older go by sequence number, not by clock: a clock may have been set in between.
 * - **A damaged cloudsnap never takes the place of an intact one**: each is judged as if the newer
 *   damaged ones were not there. So to learn of damage only ever keeps more.
 * - **The newest intact cloudsnap is kept**, and what is newer: only `cloudsnap delete` removes it.
 * - **A base that a kept cloudsnap needs is kept**: everything from it down to the full before it,
 *   whatever the rules say.
 */
import assert from 'node:assert/strict';
import type { Manifest } from '../../format/manifest.ts';
import { PERIODS, periodAt, type Period } from './retention-period.ts';
import type { RetentionRules } from './retention-rules.ts';

export interface RetentionPolicy {
  readonly rules: RetentionRules;
  /** By this host's clock: a cloudsnap that says that it is of later is taken to be of now. */
  readonly nowMs: number;
  /**
   * The rules count within each group by itself; null: they do not concern it, it is kept. Default:
   * all are one group.
   */
  readonly groupOf?: (manifest: Manifest) => string | null;
  /** Default: all are. */
  readonly isDamaged?: (cloudsnapId: string) => boolean;
  /** Cloudsnaps that something here needs, and what that is: it completes "kept: …". */
  readonly pins?: ReadonlyMap<string, string>;
  /** A cloudsnap that has one of these labels is kept. */
  readonly keepLabels?: Readonly<Record<string, string>>;
}

export interface RetentionDecision {
  readonly manifest: Manifest;
  readonly isKept: boolean;
  /** Why: one phrase for each, at least one. */
  readonly reasons: readonly string[];
}

const DAY_MS = 24 * 3_600_000;

/**
 * @param manifests visible ones of one volume, in any order.
 * @returns a decision for each, ascending by sequence; what is removed may be removed from the last
 * one to the first, and never one before what needs it.
 */
export function planRetention(
  manifests: readonly Manifest[],
  policy: RetentionPolicy,
): RetentionDecision[] {
  const newestFirst = manifests.toSorted((a, b) => b.sequence - a.sequence);
  assert(isOneVolume(newestFirst), 'chains are of one volume');
  const reasons = new Map(newestFirst.map((manifest) => [manifest, ownReasons(manifest, policy)]));
  keepByRules(newestFirst, policy, reasons);
  keepNewest(newestFirst, policy, reasons);
  keepBases(newestFirst, reasons);
  return newestFirst.toReversed().map((manifest) => {
    const kept = reasons.get(manifest) ?? [];
    const isKept = kept.length > 0;
    return { manifest, isKept, reasons: isKept ? kept : [removalReason(manifest, policy)] };
  });
}

type Reasons = ReadonlyMap<Manifest, string[]>;

function isOneVolume(manifests: readonly Manifest[]): boolean {
  const places = manifests.map(({ clusterId, volume }) => `${clusterId}/${volume.id}`);
  return new Set(places).size <= 1;
}

/** What keeps it whatever else there is. */
function ownReasons(manifest: Manifest, policy: RetentionPolicy): string[] {
  const { pins, keepLabels = {} } = policy;
  const { labels } = manifest.volume;
  const pin = pins?.get(manifest.cloudsnapId);
  const kept = Object.entries(keepLabels).filter(
    // Not labels[name] alone: a label may be named as what every object has.
    ([name, value]) => Object.hasOwn(labels, name) && labels[name] === value,
  );
  return [
    ...(groupOf(manifest, policy) === null ? ['not concerned'] : []),
    ...(pin === undefined ? [] : [pin]),
    ...kept.map(([name, value]) => `label ${name}=${value}`),
  ];
}

function groupOf(manifest: Manifest, { groupOf: own }: RetentionPolicy): string | null {
  return own ? own(manifest) : '';
}

/** What is known of a group when one of its cloudsnaps is judged: of newer ones, intact. */
interface Newer {
  count: number;
  readonly periods: Readonly<Record<Period, Set<string>>>;
  readonly sinceMs: number;
}

function keepByRules(newestFirst: readonly Manifest[], policy: RetentionPolicy, reasons: Reasons) {
  const groups = new Map<string, Newer>();
  for (const manifest of newestFirst) {
    const group = groupOf(manifest, policy);
    if (group === null) continue;
    const newer = groups.get(group) ?? nothingNewer(manifest, policy);
    groups.set(group, newer);
    reasons.get(manifest)?.push(...ruleReasons(manifest, policy.rules, newer));
    if (policy.isDamaged?.(manifest.cloudsnapId)) continue;
    newer.count += 1;
    for (const period of PERIODS) newer.periods[period].add(periodAt(period, manifest.createdMs));
  }
}

/** @param newest of its group: days count from it, so that a volume at rest loses nothing. */
function nothingNewer(newest: Manifest, { rules, nowMs }: RetentionPolicy): Newer {
  return {
    count: 0,
    periods: { daily: new Set(), weekly: new Set(), monthly: new Set(), yearly: new Set() },
    sinceMs: Math.min(newest.createdMs, nowMs) - (rules.withinDays ?? 0) * DAY_MS,
  };
}

function ruleReasons({ createdMs }: Manifest, rules: RetentionRules, newer: Newer): string[] {
  const { last, withinDays } = rules;
  const isLast = last !== undefined && newer.count < last;
  const isWithin = withinDays !== undefined && createdMs >= newer.sinceMs;
  const periods = PERIODS.flatMap((period) => {
    const known = newer.periods[period];
    const name = periodAt(period, createdMs);
    const isKept = known.size < (rules[period] ?? 0) && !known.has(name);
    return isKept ? [`${period} ${name}`] : [];
  });
  return [
    ...(isLast ? [`last ${last}`] : []),
    ...(isWithin ? [`within ${withinDays} ${withinDays === 1 ? 'day' : 'days'}`] : []),
    ...periods,
  ];
}

function keepNewest(newestFirst: readonly Manifest[], policy: RetentionPolicy, reasons: Reasons) {
  const isDamaged = ({ cloudsnapId }: Manifest) => policy.isDamaged?.(cloudsnapId) ?? false;
  const newestIntact = newestFirst.findIndex((manifest) => !isDamaged(manifest));
  for (const [index, manifest] of newestFirst.entries()) {
    if (index === newestIntact) {
      reasons.get(manifest)?.push('newest intact one of the volume');
      return;
    }
    reasons.get(manifest)?.push('no newer one is intact');
  }
}

/**
 * By sequence, and not by the name of the parent: where a manifest in between cannot be read,
 * nobody knows what it is, and everything below may be needed.
 */
function keepBases(newestFirst: readonly Manifest[], reasons: Reasons) {
  let needer: string | undefined;
  for (const manifest of newestFirst) {
    const own = reasons.get(manifest) ?? [];
    const isKept = own.length > 0;
    if (!isKept && needer !== undefined) own.push(`as the base of ${needer}`);
    if (manifest.parent === null) needer = undefined;
    else if (isKept) needer = manifest.cloudsnapId;
  }
}

function removalReason({ cloudsnapId }: Manifest, { isDamaged }: RetentionPolicy): string {
  return isDamaged?.(cloudsnapId) ? 'damaged, and no rule keeps it' : 'no rule keeps it';
}
