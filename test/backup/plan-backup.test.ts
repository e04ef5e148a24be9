import test from 'ava';
import { geometryOf } from '../../src/base/geometry.ts';
import type { VolumeId } from '../../src/base/ids.ts';
import { tipOf } from '../../src/backup/chain-tip.ts';
import { planBackup, type PlanInput } from '../../src/backup/plan-backup.ts';
import type { CloudsnapEntry } from '../../src/cloudsnap/cloudsnap-api.ts';

const geometry = geometryOf(1 << 20, 4096);
const repositoryId = 'memory:test/root';

/** A chain as the repository shows it: `pattern` has one letter for each cloudsnap, `F` or `i`. */
function chain(pattern: string, sizeBytes = geometry.sizeBytes): CloudsnapEntry[] {
  const entries: CloudsnapEntry[] = [];
  for (const letter of pattern) {
    const previous = entries.at(-1);
    const full = letter === 'F' || !previous;
    const sequence = entries.length + 1;
    entries.push({
      manifestSha256: sequence.toString(16).padStart(64, '0'),
      manifest: {
        formatVersion: 1,
        cloudsnapId: `c/7-${sequence}${full ? '' : '-incr'}`,
        clusterId: 'c' as CloudsnapEntry['manifest']['clusterId'],
        sequence,
        parent: full
          ? null
          : { cloudsnapId: previous.manifest.cloudsnapId, manifestSha256: previous.manifestSha256 },
        incrementals: full ? 0 : previous.manifest.incrementals + 1,
        fullReason: full ? 'first' : null,
        volume: {
          id: '7' as VolumeId,
          name: 'v',
          sizeBytes,
          blockBytes: geometry.blockBytes,
          fileSystem: 'none',
          labels: {},
        },
        createdMs: 1000 + sequence,
        type: 'Manual',
        consistency: 'crash',
        root: { object: 'root', lengthBytes: 1, sha256: '' },
        statistics: {
          plannedBlocks: 0,
          zeroBlocks: 0,
          unchangedBlocks: 0,
          uploadedBlocks: 0,
          uploadedPlainBytes: 0,
          storedBytes: 0,
          packs: 0,
        },
      },
    });
  }
  return entries;
}

/** A volume whose chain ends at the newest of `visible`. */
function input(visible: CloudsnapEntry[], changes: Partial<PlanInput> = {}): PlanInput {
  const newest = visible.at(-1);
  return {
    tip: newest && tipOf(newest, repositoryId, 40),
    pending: undefined,
    visible,
    geometry,
    frequency: 7,
    full: false,
    deltasCompleteSince: () => true,
    ...changes,
  };
}

function pendingFor(entry: CloudsnapEntry | undefined, epoch: number): PlanInput['pending'] {
  if (!entry) throw new Error('the chain of this test is too short');
  const { cloudsnapId, createdMs } = entry.manifest;
  return { repositoryId, cloudsnapId, epoch, createdMs };
}

/** `F:<reason>` or `i:<parent's sequence>`. */
function outcome(given: PlanInput): string {
  const plan = planBackup(given);
  if (plan.kind === 'full') return `F:${plan.reason}`;
  return `i:${plan.parent.manifest.sequence}@${plan.base.baseEpoch}`;
}

test('the first cloudsnap of a volume is a full one', (t) => {
  t.is(outcome(input([])), 'F:first');
});

test('six incrementals follow a full one, every seventh is full again', (t) => {
  let pattern = '';
  for (let i = 0; i < 21; i++) {
    pattern += planBackup(input(chain(pattern))).kind === 'full' ? 'F' : 'i';
  }
  t.is(pattern, 'FiiiiiiFiiiiiiFiiiiii');
});

test('a frequency of one makes every cloudsnap full, three leaves two incrementals', (t) => {
  t.is(outcome(input(chain('F'), { frequency: 1 })), 'F:period');
  t.is(outcome(input(chain('Fi'), { frequency: 3 })), 'i:2@40');
  t.is(outcome(input(chain('Fii'), { frequency: 3 })), 'F:period');
});

test('a frequency below one or broken is refused by name', (t) => {
  for (const frequency of [0, -1, 1.5, NaN, Infinity]) {
    t.throws(() => planBackup(input([], { frequency })), { code: 'backup/bad-frequency' });
  }
});

test('a full one can be asked for at any time', (t) => {
  t.is(outcome(input(chain('Fi'), { full: true })), 'F:requested');
});

test('incomplete deltas make a full one', (t) => {
  const asked: number[] = [];
  const deltasCompleteSince = (epoch: number) => asked.push(epoch) < 0;
  t.is(outcome(input(chain('F'), { deltasCompleteSince })), 'F:bits-lost');
  t.deepEqual(asked, [40]);
});

test('no incremental follows a manifest that is gone', (t) => {
  const visible = chain('Fii');
  const tip = input(visible).tip;
  t.is(outcome(input(visible.slice(0, -1), { tip })), 'F:parent-missing');
  t.is(outcome(input([], { tip })), 'F:parent-missing');
});

test('no incremental follows a manifest of the same id but other bytes', (t) => {
  const visible = chain('Fi');
  const tip = { ...input(visible).tip!, manifestSha256: 'f'.repeat(64) };
  t.is(outcome(input(visible, { tip })), 'F:parent-missing');
});

test('no second child of one parent: a newer cloudsnap of unknown origin makes a full one', (t) => {
  const visible = chain('Fii');
  const tip = tipOf(visible[1]!, repositoryId, 40);
  t.is(outcome(input(visible, { tip })), 'F:chain-unknown');
});

test('a volume without a record of its chain starts with a full one', (t) => {
  t.is(outcome(input(chain('Fi'), { tip: undefined })), 'F:chain-unknown');
});

test('a changed block size or a smaller volume makes a full one, a grown volume does not', (t) => {
  const visible = chain('F');
  const shaped = (sizeBytes: number, blockBytes: number) =>
    outcome(input(visible, { geometry: geometryOf(sizeBytes, blockBytes) }));
  t.is(shaped(1 << 20, 8192), 'F:geometry-changed');
  t.is(shaped(1 << 19, 4096), 'F:geometry-changed');
  t.is(shaped(1 << 21, 4096), 'i:1@40');
});

test('a cloudsnap that was published but not noted is adopted with its epoch', (t) => {
  const visible = chain('Fi');
  const tip = tipOf(visible[0]!, repositoryId, 40);
  const given = input(visible, { tip, pending: pendingFor(visible[1], 43) });
  t.deepEqual(planBackup(given).adopt, tipOf(visible[1]!, repositoryId, 43));
  t.is(outcome(given), 'i:2@43');
});

test('a first full one that was published but not noted is adopted, too', (t) => {
  const visible = chain('F');
  const given = input(visible, { tip: undefined, pending: pendingFor(visible[0], 5) });
  t.is(outcome(given), 'i:1@5');
  t.deepEqual(planBackup(given).adopt, tipOf(visible[0]!, repositoryId, 5));
});

test('an adopted cloudsnap counts in the period', (t) => {
  const visible = chain('Fiiiiii');
  const tip = tipOf(visible[5]!, repositoryId, 40);
  const plan = planBackup(input(visible, { tip, pending: pendingFor(visible[6], 43) }));
  t.is(plan.kind === 'full' && plan.reason, 'period');
  t.is(plan.adopt?.sequence, 7);
});

test('a pending commit that never became visible is ignored', (t) => {
  const visible = chain('Fi');
  const given = input(visible, { pending: pendingFor(chain('Fii')[2], 43) });
  t.is(planBackup(given).adopt, undefined);
  t.is(outcome(given), 'i:2@40');
});

test('a pending commit that the chain already holds changes nothing', (t) => {
  const visible = chain('Fi');
  const given = input(visible, { pending: pendingFor(visible[1], 43) });
  t.is(planBackup(given).adopt, undefined);
  t.is(outcome(given), 'i:2@40');
});

test('nothing is adopted that has another instant or another parent than was written down', (t) => {
  const visible = chain('Fi');
  const pending = pendingFor(visible[1], 43)!;
  const tip = tipOf(visible[0]!, repositoryId, 40);
  const otherInstant = input(visible, { tip, pending: { ...pending, createdMs: 1 } });
  const otherParent = input(visible, { tip: { ...tip, manifestSha256: 'e'.repeat(64) }, pending });
  const noParent = input(visible, { tip: undefined, pending });
  for (const given of [otherInstant, otherParent, noParent]) {
    t.is(planBackup(given).adopt, undefined);
    t.is(planBackup(given).kind, 'full');
  }
});

test('a full one says why in a sentence', (t) => {
  const plan = planBackup(input(chain('Fiiiiii')));
  t.is(
    plan.kind === 'full' && plan.sentence,
    'This cloudsnap is a full one because every 7 cloudsnaps one is full.',
  );
});
