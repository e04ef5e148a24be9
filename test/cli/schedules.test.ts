import test from 'ava';
import type { ScheduleView } from '../../src/control/schemas.ts';
import { openCliLab } from './cli-lab.ts';

const UUID = 'b8f5e4d0-5c77-4d0a-9d2a-3f6a2d3d7e11';

function scheduleView(change: Partial<ScheduleView> = {}): ScheduleView {
  return {
    id: UUID,
    volumeId: '56706279008755778',
    volumeName: 'NewVol',
    credentialId: 'c',
    rules: [{ kind: 'Daily', at: '02:00' }],
    max: 7,
    full: false,
    retention: {},
    created: '2026-11-27T15:00:00.000Z',
    nextRun: '2026-11-28T02:00:00.000Z',
    lastRun: null,
    lastRetention: null,
    ...change,
  };
}

test('every flag of a new schedule travels, in its long and short form', async (t) => {
  const inputs: object[] = [];
  const lab = await openCliLab(t, {
    createSchedule: (input) => {
      inputs.push(input);
      return scheduleView();
    },
  });
  const long = ['--periodic', '60', '--daily', '02:00', '--weekly', 'sun@03:00', '--monthly'];
  const keep = ['--retention', '30', '--keep-daily', '7', '--keep-weekly', '4'];
  const more = ['--keep-monthly', '12', '--keep-yearly', '2'];
  const rest = ['1@04:00', '--max', '14', '--full', '--cred-id', 'mine', ...keep, ...more];
  const first = await lab.run('cloudsnap', 'schedules', 'create', 'NewVol', ...long, ...rest);
  t.like(first, { code: 0, stdout: 'Cloudsnap schedule created successfully\n' });
  const short = ['-p', '60', '-d', '02:00', '-w', 'sun@03:00', '-m', '1@04:00', '-x', '14'];
  const others = ['-r', '30', ...keep.slice(2), ...more];
  await lab.run('cs', 'sched', 'create', 'NewVol', ...short, '-f', '--cr', 'mine', ...others);
  const input = {
    volume: 'NewVol',
    rules: [
      { kind: 'Periodic', at: '60' },
      { kind: 'Daily', at: '02:00' },
      { kind: 'Weekly', at: 'sun@03:00' },
      { kind: 'Monthly', at: '1@04:00' },
    ],
    full: true,
    credential: 'mine',
    max: 14,
    retention: { withinDays: 30, daily: 7, weekly: 4, monthly: 12, yearly: 2 },
  };
  t.deepEqual(inputs, [input, input]);
});

test('a schedule without a time, or with a bad number, is one sentence', async (t) => {
  const lab = await openCliLab(t, {});
  const none = await lab.run('cs', 'sched', 'create', 'NewVol');
  t.is(none.code, 2);
  t.regex(none.stderr, /^cloudvol: a schedule needs a time to run at\nhint: give --periodic 60/);
  const zero = await lab.run('cs', 'sched', 'create', 'NewVol', '-d', '02:00', '--max', '0');
  t.is(zero.code, 2);
  t.is(zero.stderr, 'cloudvol: --max 0 is not a number above zero\n');
});

test('schedules list has the columns of the original, the next run and the last', async (t) => {
  const lastRun = {
    kind: 'Daily',
    due: '2026-11-27T02:00:00.000Z',
    started: '2026-11-27T02:00:01.000Z',
    taskId: null,
    failure: 'there is no room',
  } as const;
  const rules = [
    { kind: 'Periodic', at: '30' },
    { kind: 'Weekly', at: 'sunday@03:00' },
  ] as const;
  const retention = { monthly: 12, withinDays: 30, daily: 7 };
  const lastRetention = { ended: lastRun.started, removed: 1, failure: 'no answer' };
  const changed = { rules: [...rules], max: 3, full: true };
  const views = [
    scheduleView({ retention: null }),
    scheduleView({ ...changed, lastRun, retention }),
    scheduleView({ lastRun: { ...lastRun, taskId: 't', failure: null }, lastRetention }),
  ];
  const lab = await openCliLab(t, { listSchedules: () => views });
  const { stdout } = await lab.run('cs', 'schedules', 'list');
  const [head = '', ...rows] = stdout.trimEnd().split('\n');
  t.deepEqual(head.split(/\s+/), [
    'UUID',
    'VOLUMEID',
    'MAX-BACKUPS',
    'FULL',
    'SCHEDULE(UTC)',
    'RETENTION',
    'NEXT-RUN',
    'LAST-RUN',
  ]);
  const next = 'Sat, 28 Nov 2026 02:00:00 UTC';
  t.deepEqual(
    rows.map((row) => row.split(/ {2,}/)),
    [
      [UUID, '56706279008755778', '7', 'false', 'daily 02:00', 'all', next, 'never'],
      [
        UUID,
        '56706279008755778',
        '3',
        'true',
        'periodic 30m, weekly sunday@03:00',
        'last 3, 30 days, daily 7, monthly 12',
        next,
        'Fri, 27 Nov 2026 02:00:01 UTC: not started: there is no room',
      ],
      [
        UUID,
        '56706279008755778',
        '7',
        'false',
        'daily 02:00',
        'last 7',
        next,
        'Fri, 27 Nov 2026 02:00:01 UTC: retention failed: no answer',
      ],
    ],
  );
  const json = await lab.run('cs', 'schedules', 'list', '--json');
  t.deepEqual(JSON.parse(json.stdout), views);
});

test('update sends only what was given; delete says that it did', async (t) => {
  const inputs: object[] = [];
  const lab = await openCliLab(t, {
    updateSchedule: (input) => {
      inputs.push(input);
      return scheduleView();
    },
    deleteSchedule: (input) => {
      inputs.push(input);
      return {};
    },
  });
  const updated = await lab.run('cs', 'sched', 'update', '-i', UUID, '--max', '5');
  t.is(updated.stdout, 'Cloudsnap schedule updated successfully\n');
  for (const keep of [['--keep-all'], ['--retention', '0', '--keep-daily', '3']]) {
    await lab.run('cs', 'sched', 'update', '-i', UUID, ...keep);
  }
  const both = await lab.run('cs', 'sched', 'update', '-i', UUID, '--keep-all', '-r', '3');
  t.is(both.code, 2);
  t.regex(both.stderr, /--keep-all leaves nothing/);
  const deleted = await lab.run('cs', 'sched', 'delete', '--uuid', UUID);
  t.is(deleted.stdout, 'Cloudsnap schedule deleted successfully\n');
  t.deepEqual(inputs, [
    { schedule: UUID, max: 5 },
    { schedule: UUID, retention: null },
    { schedule: UUID, retention: { withinDays: 0, daily: 3 } },
    { schedule: UUID },
  ]);
});
