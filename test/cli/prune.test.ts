import test from 'ava';
import type { Api } from '../../src/control/schemas.ts';
import { openCliLab, SNAP_ID, TASK_ID, taskView } from './cli-lab.ts';

type Answer = Api['pruneCloudsnaps']['output'];

const CLOUDSNAPS: Answer['cloudsnaps'] = [
  {
    id: SNAP_ID,
    volumeId: '56706279008755778',
    volumeName: 'NewVol',
    clusterId: '2e4d4b67-95d7-481e-aec5-14223ac55170',
    created: '2019-01-17T00:03:59.000Z',
    type: 'Daily',
    incremental: false,
    storedBytes: 3 * 2 ** 20,
    action: 'remove',
    reasons: ['no rule keeps it'],
  },
  {
    id: `${SNAP_ID}9`,
    volumeId: '56706279008755778',
    volumeName: 'NewVol',
    clusterId: '2e4d4b67-95d7-481e-aec5-14223ac55170',
    created: '2019-01-18T00:03:59.000Z',
    type: 'Manual',
    incremental: false,
    storedBytes: 2 ** 20,
    action: 'keep',
    reasons: ['last 1', 'newest intact one of the volume'],
  },
];

test('every flag of prune travels', async (t) => {
  const inputs: object[] = [];
  const lab = await openCliLab(t, {
    pruneCloudsnaps: (input) => {
      inputs.push(input);
      return { cloudsnaps: [], task: null };
    },
  });
  const counts = ['--keep-last', '1', '--keep-within', '2', '--keep-daily', '3'];
  const more = ['--keep-weekly', '4', '--keep-monthly', '5', '--keep-yearly', '6'];
  const others = ['--keep-label', 'a=b,c=d', '--cluster', 'x', '--dry-run', '--takeover'];
  const first = await lab.run('cloudsnap', 'prune', 'NewVol', ...counts, ...more, ...others);
  t.like(first, { code: 0, stderr: '' });
  t.regex(first.stdout, /\nNothing is to be removed\n$/);
  await lab.run('cs', 'prune', '-a', '--keep-last', '1', '--cr', 'mine', '-c', 'x', '-n');
  t.deepEqual(inputs, [
    {
      source: 'NewVol',
      rules: { last: 1, withinDays: 2, daily: 3, weekly: 4, monthly: 5, yearly: 6 },
      keepLabels: { a: 'b', c: 'd' },
      cluster: 'x',
      dryRun: true,
      takeover: true,
    },
    {
      allVolumes: true,
      rules: { last: 1 },
      keepLabels: {},
      credential: 'mine',
      cluster: 'x',
      dryRun: true,
    },
  ]);
});

test('prune prints what is kept and removed, each with the reason', async (t) => {
  const lab = await openCliLab(t, {
    pruneCloudsnaps: ({ dryRun }) => ({
      cloudsnaps: CLOUDSNAPS,
      task: dryRun ? null : taskView({ kind: 'Prune' }),
    }),
    waitForTask: () =>
      taskView({
        kind: 'Prune',
        state: 'Done',
        ended: '2019-01-18T00:04:00.000Z',
        result: { removed: 1, removedBytes: 3 * 2 ** 20, failed: 0 },
      }),
  });
  const dry = await lab.run('cs', 'prune', 'NewVol', '--keep-last', '1', '--dry-run');
  const [head = '', ...rows] = dry.stdout.trimEnd().split('\n');
  t.deepEqual(head.split(/ {2,}/), [
    'SOURCEVOLUME',
    'CLOUD-SNAP-ID',
    'CREATED-TIME',
    'TYPE',
    'ACTION',
    'REASON',
  ]);
  t.deepEqual(
    rows.map((row) => row.split(/ {2,}/)),
    [
      ['NewVol', SNAP_ID, 'Thu, 17 Jan 2019 00:03:59 UTC', 'Daily', 'remove', 'no rule keeps it'],
      [
        'NewVol',
        `${SNAP_ID}9`,
        'Fri, 18 Jan 2019 00:03:59 UTC',
        'Manual',
        'keep',
        'last 1; newest intact one of the volume',
      ],
      ['1 cloudsnap would be removed (3 MiB); nothing was changed'],
    ],
  );
  const real = await lab.run('cs', 'prune', 'NewVol', '--keep-last', '1');
  t.is(real.code, 0, real.stderr);
  t.is(real.stdout.trimEnd().split('\n').at(-1), '1 cloudsnap removed (3 MiB)');
  const json = await lab.run('cs', 'prune', 'NewVol', '--keep-last', '1', '--json');
  const [answer, task] = json.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  t.like(answer, { cloudsnaps: CLOUDSNAPS, task: { id: TASK_ID } });
  t.like(task, { state: 'Done' });
  const dryJson = await lab.run('cs', 'prune', 'NewVol', '--keep-last', '1', '-n', '--json');
  t.deepEqual(JSON.parse(dryJson.stdout), { cloudsnaps: CLOUDSNAPS, task: null });
});

test('a prune that did not remove all says which and why, and by its exit code', async (t) => {
  const why = `${SNAP_ID} was not removed: the store does not answer.`;
  const lab = await openCliLab(t, {
    pruneCloudsnaps: () => ({ cloudsnaps: CLOUDSNAPS, task: taskView({ kind: 'Prune' }) }),
    waitForTask: () =>
      taskView({
        kind: 'Prune',
        state: 'Failed',
        ended: '2019-01-18T00:04:00.000Z',
        info: [why, '1 of 1 cloudsnaps were not removed'],
        result: { removed: 0, removedBytes: 0, failed: 1, errorCode: 'retention/incomplete' },
      }),
  });
  const { code, stdout, stderr } = await lab.run('cs', 'prune', '--all', '--keep-last', '1');
  t.is(code, 1);
  t.regex(stdout, /\n0 cloudsnaps removed \(0 B\)\n$/);
  t.true(stderr.includes(`ended as Failed: ${why.slice(0, -1)}; 1 of 1 cloudsnaps`), stderr);
});

test('prune without a volume, with one and --all, or with a bad number is refused', async (t) => {
  const lab = await openCliLab(t, {});
  for (const wrong of [[], ['NewVol', '--all']]) {
    const { code, stderr } = await lab.run('cs', 'prune', ...wrong, '--keep-last', '1');
    t.is(code, 2);
    t.regex(stderr, /^cloudvol: either a volume or --all has to be given\nhint: /);
  }
  const zero = await lab.run('cs', 'prune', 'NewVol', '--keep-last', '0');
  t.is(zero.code, 2);
  t.is(zero.stderr, 'cloudvol: --keep-last 0 is not a number above zero\n');
});
