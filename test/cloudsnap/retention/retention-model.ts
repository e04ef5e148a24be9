import type { RetentionPolicy } from '../../../src/cloudsnap/retention/plan-retention.ts';
import type { Manifest } from '../../../src/format/manifest.ts';
import { DAY } from './retention-lab.ts';

/** 1970-01-01 was a Thursday. */
const MONDAY = 3;

/** Numbers that two instants share if and only if they are in the same period. */
const PERIOD_NUMBERS = {
  daily: (ms: number) => Math.floor(ms / DAY),
  weekly: (ms: number) => Math.floor((Math.floor(ms / DAY) + MONDAY) / 7),
  monthly: (ms: number) => new Date(ms).getUTCFullYear() * 12 + new Date(ms).getUTCMonth(),
  yearly: (ms: number) => new Date(ms).getUTCFullYear(),
};

/** Ids of what is kept: each rule as its sentence says it, however slow. */
export function modelOfKept(
  manifests: readonly Manifest[],
  policy: RetentionPolicy,
): ReadonlySet<string> {
  const wanted = manifests.filter((manifest) => isWanted(manifest, manifests, policy));
  const kept = new Set<string>();
  for (const manifest of wanted) {
    let base: Manifest | undefined = manifest;
    while (base) {
      kept.add(base.cloudsnapId);
      const parentName: string | undefined = base.parent?.cloudsnapId;
      base = manifests.find(
        ({ sequence }) => parentName !== undefined && parentName.endsWith(`-${sequence}00000000`),
      );
    }
  }
  return kept;
}

function isWanted(
  manifest: Manifest,
  manifests: readonly Manifest[],
  policy: RetentionPolicy,
): boolean {
  const { rules, nowMs, pins, keepLabels = {} } = policy;
  const groupOf = policy.groupOf ?? (() => 'all');
  const intactAfter = manifests.filter(
    (other) => other.sequence > manifest.sequence && !policy.isDamaged?.(other.cloudsnapId),
  );
  const group = groupOf(manifest);
  if (group === null || pins?.has(manifest.cloudsnapId)) return true;
  if (Object.entries(keepLabels).some(([name, value]) => manifest.volume.labels[name] === value)) {
    return true;
  }
  if (intactAfter.length === 0) return true;
  const newer = intactAfter.filter((other) => groupOf(other) === group);
  if (newer.length < (rules.last ?? 0)) return true;
  const newest = manifests.findLast((other) => groupOf(other) === group);
  const fromMs = Math.min(nowMs, newest?.createdMs ?? 0) - (rules.withinDays ?? 0) * DAY;
  if (rules.withinDays !== undefined && manifest.createdMs >= fromMs) return true;
  return (['daily', 'weekly', 'monthly', 'yearly'] as const).some((period) => {
    const numbers = newer.map(({ createdMs }) => PERIOD_NUMBERS[period](createdMs));
    const isNewestOfIts = !numbers.includes(PERIOD_NUMBERS[period](manifest.createdMs));
    return isNewestOfIts && new Set(numbers).size < (rules[period] ?? 0);
  });
}
