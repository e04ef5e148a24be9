import type { SeededRandom } from '../../../src/base/seeded-random.ts';
import type { RetentionPolicy } from '../../../src/cloudsnap/retention/plan-retention.ts';
import type { RetentionRules } from '../../../src/cloudsnap/retention/retention-rules.ts';
import type { CloudsnapType, Manifest } from '../../../src/format/manifest.ts';
import { CLUSTER, MANIFEST, VOLUME } from '../../format/samples.ts';

export const DAY = 24 * 3_600_000;
const START = Date.UTC(2026, 0, 1, 2);

export interface Snap {
  readonly sequence: number;
  /** Of the one that it builds on; a full without. */
  readonly parent?: number;
  /** Default: as many days after START as its number says. */
  readonly at?: number;
  readonly type?: CloudsnapType;
  readonly labels?: Readonly<Record<string, string>>;
}

export function idOf(sequence: number, isIncremental = false): string {
  return `${CLUSTER}/${VOLUME}-${sequence}00000000${isIncremental ? '-incr' : ''}`;
}

export function manifestOf({ sequence, parent, at, type, labels }: Snap): Manifest {
  return {
    ...MANIFEST,
    cloudsnapId: idOf(sequence, parent !== undefined),
    sequence,
    parent:
      parent === undefined ? null : { cloudsnapId: idOf(parent), manifestSha256: '0'.repeat(64) },
    createdMs: at ?? START + sequence * DAY,
    type: type ?? 'Manual',
    volume: { ...MANIFEST.volume, labels: labels ?? {} },
  };
}

/** Chains as backups make them, of fulls and incrementals, sometimes with a clock that was set. */
export function randomManifests(random: SeededRandom): Manifest[] {
  const manifests: Manifest[] = [];
  const stepMs = [3_600_000, 6 * 3_600_000, DAY, 3 * DAY, 20 * DAY][random.below(5)]!;
  let [sequence, atMs] = [0, START];
  for (let count = random.below(60); count > 0; count--) {
    const before = manifests.at(-1);
    sequence += 1 + random.below(3);
    atMs += random.below(2 * stepMs);
    if (random.chance(0.03)) atMs += (random.below(800) - 400) * DAY;
    const parent = before && random.chance(0.75) ? { parent: before.sequence } : {};
    const type = (['Manual', 'Daily', 'Weekly'] as const)[random.below(3)]!;
    const labels = random.chance(0.1) ? { keep: String(random.below(2)) } : {};
    manifests.push(manifestOf({ sequence, ...parent, at: Math.max(0, atMs), type, labels }));
  }
  return manifests;
}

export function randomRules(random: SeededRandom): RetentionRules {
  const some = (limit: number) => (random.chance(0.3) ? 1 + random.below(limit) : undefined);
  const rules = {
    last: some(8),
    withinDays: some(60),
    daily: some(10),
    weekly: some(6),
    monthly: some(4),
    yearly: some(2),
  };
  const given = Object.entries(rules).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}

export function randomPolicy(random: SeededRandom, manifests: readonly Manifest[]) {
  const some = (probability: number) =>
    new Set(manifests.filter(() => random.chance(probability)).map((each) => each.cloudsnapId));
  const damaged = some(random.chance(0.5) ? 0.2 : 0);
  const pinned = some(random.chance(0.3) ? 0.1 : 0);
  const byType = random.chance(0.3);
  return {
    rules: randomRules(random),
    nowMs: (manifests.at(-1)?.createdMs ?? START) + (random.below(30) - 5) * DAY,
    damaged,
    isDamaged: (id: string) => damaged.has(id),
    pins: new Map([...pinned].map((id) => [id, 'something reads from it'])),
    keepLabels: random.chance(0.3) ? { keep: '1' } : {},
    ...(byType && {
      groupOf: ({ type }: Manifest) => (type === 'Manual' ? null : type),
    }),
  } satisfies RetentionPolicy & { damaged: ReadonlySet<string> };
}
