import test from 'ava';
import { seededRandom } from '../../../src/base/seeded-random.ts';
import {
  planRetention,
  type RetentionDecision,
  type RetentionPolicy,
} from '../../../src/cloudsnap/retention/plan-retention.ts';
import { DAY, idOf, manifestOf, randomManifests, randomPolicy } from './retention-lab.ts';
import { modelOfKept } from './retention-model.ts';

const NOW = Date.UTC(2026, 11, 31);
const SEED = Number(process.env['SEED'] ?? 20261127);
const ROUNDS = Number(process.env['ROUNDS'] ?? 300);

const kept = (decisions: readonly RetentionDecision[]) =>
  decisions.filter(({ isKept }) => isKept).map(({ manifest }) => manifest.sequence);

/** A full, then incrementals, a full again after every `distance`. */
function chain(count: number, distance: number) {
  return Array.from({ length: count }, (_, index) => {
    const sequence = index + 1;
    return manifestOf(index % distance === 0 ? { sequence } : { sequence, parent: sequence - 1 });
  });
}

function plan(manifests: Parameters<typeof planRetention>[0], policy: Partial<RetentionPolicy>) {
  return planRetention(manifests, { rules: {}, nowMs: NOW, ...policy });
}

test('retention-keeps-bases: retention never removes a base in use', (t) => {
  const decisions = plan(chain(10, 7), { rules: { last: 2 } });
  t.deepEqual(kept(decisions), [8, 9, 10]);
  t.deepEqual(decisions[7]?.reasons, [`as the base of ${idOf(9, true)}`]);
  const pinned = { pins: new Map([[idOf(3, true), 'volume r reads from it']]) };
  const held = plan(chain(10, 7), { rules: { last: 1 }, ...pinned });
  t.deepEqual(kept(held), [1, 2, 3, 8, 9, 10]);
  t.deepEqual(held.map(({ reasons }) => reasons.join()).slice(0, 4), [
    `as the base of ${idOf(3, true)}`,
    `as the base of ${idOf(3, true)}`,
    'volume r reads from it',
    'no rule keeps it',
  ]);
});

test('retention-keeps-bases: also where what lies between cannot be read', (t) => {
  const readable = chain(7, 7).filter(({ sequence }) => sequence !== 4);
  t.deepEqual(kept(plan(readable, { rules: { last: 1 } })), [1, 2, 3, 5, 6, 7]);
});

test('each rule keeps the newest of its periods in UTC, and what any rule keeps is kept', (t) => {
  const at = (iso: string) => Date.parse(`${iso}Z`);
  const instants = [
    '2024-12-29T23:59', // Sunday: 2024-W52
    '2024-12-30T00:00', // Monday: 2025-W01
    '2025-12-28T12:00', // Sunday: 2025-W52
    '2025-12-31T23:00', // 2026-W01
    '2026-01-01T00:30', // 2026-W01
    '2026-01-01T23:30',
    '2026-01-02T00:10',
  ];
  const manifests = instants.map((iso, index) => manifestOf({ sequence: index + 1, at: at(iso) }));
  const reasons = (rules: RetentionPolicy['rules']) =>
    plan(manifests, { rules, nowMs: at('2026-01-03T00:00') })
      .filter(({ isKept }) => isKept)
      .map(({ manifest, reasons: [reason] }) => `${manifest.sequence} ${reason}`);
  t.deepEqual(reasons({ daily: 3 }), [
    '4 daily 2025-12-31',
    '6 daily 2026-01-01',
    '7 daily 2026-01-02',
  ]);
  t.deepEqual(reasons({ weekly: 4 }), [
    '1 weekly 2024-W52',
    '2 weekly 2025-W01',
    '3 weekly 2025-W52',
    '7 weekly 2026-W01',
  ]);
  t.deepEqual(reasons({ monthly: 2 }), ['4 monthly 2025-12', '7 monthly 2026-01']);
  t.deepEqual(reasons({ yearly: 9 }), ['2 yearly 2024', '4 yearly 2025', '7 yearly 2026']);
  t.deepEqual(reasons({ withinDays: 1 }), ['5 within 1 day', '6 within 1 day', '7 within 1 day']);
  t.deepEqual(reasons({ last: 1, monthly: 2, yearly: 3 }), [
    '2 yearly 2024',
    '4 monthly 2025-12',
    '7 last 1',
  ]);
});

test('days count from the newest cloudsnap: rest, or a wrong clock, loses nothing', (t) => {
  const manifests = chain(40, 1);
  const much = { rules: { withinDays: 10 } };
  t.is(kept(plan(manifests, much)).length, 11);
  t.is(kept(plan(manifests, { ...much, nowMs: NOW + 1000 * DAY })).length, 11);
  const fromTheFuture = manifestOf({ sequence: 41, at: NOW + 1000 * DAY });
  const nowMs = manifests.at(-1)!.createdMs;
  t.is(kept(plan([...manifests, fromTheFuture], { ...much, nowMs })).length, 12);
});

test('a damaged cloudsnap takes no place, and the newest intact one stays', (t) => {
  const manifests = chain(6, 1);
  const damaged = new Set([idOf(5), idOf(6)]);
  const isDamaged = (id: string) => damaged.has(id);
  const decisions = plan(manifests, { rules: { last: 2 }, isDamaged });
  t.deepEqual(kept(decisions), [3, 4, 5, 6]);
  t.deepEqual(decisions[5]?.reasons, ['last 2', 'no newer one is intact']);
  t.deepEqual(decisions[3]?.reasons, ['last 2', 'newest intact one of the volume']);
  const none = plan(manifests, { isDamaged });
  t.deepEqual(kept(none), [4, 5, 6]);
  const old = plan(manifests, { rules: { last: 1 }, isDamaged: (id) => id === idOf(2) });
  t.deepEqual(old[1]?.reasons, ['damaged, and no rule keeps it']);
});

test('labels protect, and rules count in each group by itself', (t) => {
  const labelled = (sequence: number, labels: Record<string, string>) =>
    manifestOf({ sequence, labels });
  const manifests = [labelled(1, { app: 'db' }), labelled(2, { app: 'web' }), labelled(3, {})];
  const keepLabels = { app: 'db', constructor: 'x' };
  t.deepEqual(kept(plan(manifests, { rules: { last: 1 }, keepLabels })), [1, 3]);
  const types = ['Daily', 'Weekly', 'Daily', 'Manual', 'Daily'] as const;
  const made = types.map((type, index) => manifestOf({ sequence: index + 1, type }));
  const groupOf = ({ type }: { type: string }) => (type === 'Manual' ? null : type);
  t.deepEqual(kept(plan(made, { rules: { last: 1 }, groupOf })), [2, 4, 5]);
});

test('nothing at all is planned for no cloudsnaps, and without a rule one is kept', (t) => {
  t.deepEqual(plan([], { rules: { last: 1 } }), []);
  t.deepEqual(kept(plan(chain(3, 1), {})), [3]);
});

test('random chains are kept as the model of the rules keeps them', (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const random = seededRandom(SEED + round);
    const manifests = randomManifests(random);
    const policy = randomPolicy(random, manifests);
    const decisions = planRetention(
      manifests.toSorted(() => random.below(3) - 1),
      policy,
    );
    const model = modelOfKept(manifests, policy);
    t.deepEqual(
      decisions.filter(({ isKept }) => isKept).map(({ manifest }) => manifest.cloudsnapId),
      manifests.map(({ cloudsnapId }) => cloudsnapId).filter((id) => model.has(id)),
      `SEED=${SEED + round} ROUNDS=1 ${JSON.stringify(policy.rules)}`,
    );
    t.true(decisions.every(({ reasons }) => reasons.length > 0));
  }
});

test('a plan that was carried out leaves nothing to do, and no base is missing', (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const random = seededRandom(SEED + round);
    const manifests = randomManifests(random);
    const policy = randomPolicy(random, manifests);
    const where = `SEED=${SEED + round} ROUNDS=1`;
    const left = planRetention(manifests, policy)
      .filter(({ isKept }) => isKept)
      .map(({ manifest }) => manifest);
    t.true(
      planRetention(left, policy).every(({ isKept }) => isKept),
      where,
    );
    const sequences = new Set(left.map(({ sequence }) => sequence));
    for (const { parent } of left) {
      const base = manifests.find(({ sequence }) => parent?.cloudsnapId === idOf(sequence));
      if (base) t.true(sequences.has(base.sequence), where);
    }
    const intact = manifests.findLast(({ cloudsnapId }) => !policy.damaged.has(cloudsnapId));
    if (intact) t.true(sequences.has(intact.sequence), where);
  }
});

test('one more rule, or one more damage that is known, only ever keeps more', (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const random = seededRandom(SEED + round);
    const manifests = randomManifests(random);
    const policy = randomPolicy(random, manifests);
    const before = kept(planRetention(manifests, policy));
    const victim = manifests[random.below(Math.max(1, manifests.length))]?.cloudsnapId;
    const isDamaged = (id: string) => id === victim || policy.isDamaged(id);
    const yearly = (policy.rules.yearly ?? 0) + 1;
    const rules = { ...policy.rules, yearly };
    for (const more of [
      { ...policy, isDamaged },
      { ...policy, rules },
    ]) {
      const after = new Set(kept(planRetention(manifests, more)));
      t.true(
        before.every((sequence) => after.has(sequence)),
        `SEED=${SEED + round} ROUNDS=1`,
      );
    }
  }
});

test('a plan that is carried out by half, the newest first, goes on as it was made', (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const random = seededRandom(SEED + round);
    const manifests = randomManifests(random);
    const policy = randomPolicy(random, manifests);
    const planned = planRetention(manifests, policy);
    const removed = planned.filter(({ isKept }) => !isKept).toReversed();
    const gone = new Set(removed.slice(0, random.below(removed.length + 1)));
    const left = planned.filter((decision) => !gone.has(decision));
    t.deepEqual(
      kept(
        planRetention(
          left.map(({ manifest }) => manifest),
          policy,
        ),
      ),
      kept(planned),
      `SEED=${SEED + round} ROUNDS=1`,
    );
  }
});
