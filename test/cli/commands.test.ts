import test from 'ava';

import { CloudvolError } from '../../src/base/errors.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import {
  SNAP_ID,
  TASK_ID,
  cloudsnapView,
  openCliLab,
  runInProcess,
  taskView,
  volumeView,
} from './cli-lab.ts';

const cells = (line: string) => line.split(/\s{2,}/);

test('volume list has the columns and words of the original', async (t) => {
  const other = volumeView({
    id: '980081626967128253',
    name: 'evol',
    sizeBytes: 2 * 2 ** 30,
    status: 'detached',
  });
  const lab = await openCliLab(t, { listVolumes: () => [volumeView(), other] });
  const { code, stdout, stderr } = await lab.run('volume', 'list');
  t.deepEqual(stdout.trimEnd().split('\n').map(cells), [
    ['ID', 'NAME', 'SIZE', 'HA', 'SHARED', 'ENCRYPTED', 'IO_PRIORITY', 'SCALE', 'STATUS'],
    [
      '56706279008755778',
      'NewVol',
      '4 GiB',
      '1',
      'no',
      'no',
      'LOW',
      '1',
      'up - attached on 70.0.9.73',
    ],
    ['980081626967128253', 'evol', '2 GiB', '1', 'no', 'no', 'LOW', '1', 'up - detached'],
  ]);
  t.is(code, 0);
  t.is(stderr, '');
});

test('volume create reads human sizes and labels', async (t) => {
  const seen: unknown[] = [];
  const lab = await openCliLab(t, {
    createVolume: (input) => {
      seen.push(input);
      return volumeView();
    },
  });
  const args = [
    '--size',
    '4G',
    '--block-size',
    '64KiB',
    '--fs',
    'xfs',
    '--label',
    'a=b,c=d',
    '--label',
    'e=f=g',
  ];
  const { code, stdout } = await lab.run('volume', 'create', 'NewVol', ...args);
  t.is(code, 0);
  t.is(stdout, 'Volume successfully created: 56706279008755778\n');
  const labels = { a: 'b', c: 'd', e: 'f=g' };
  t.deepEqual(seen, [
    { name: 'NewVol', sizeBytes: 4 * 2 ** 30, blockBytes: 65536, fileSystem: 'xfs', labels },
  ]);
});

test('cloudsnap backup says the words that scripts read, by every name that it has', async (t) => {
  const seen: unknown[] = [];
  const lab = await openCliLab(t, {
    backup: (input) => {
      seen.push(input);
      return taskView();
    },
  });
  const lines = [
    ['cloudsnap', 'backup', 'NewVol', '--cred-id', 'mine'],
    ['cs', 'b', '-v', 'NewVol', '--cr', 'mine'],
    ['cs', 'backup', '--volume=NewVol', '--cr=mine', '--no-full'],
  ];
  for (const args of lines) {
    const { code, stdout } = await lab.run(...args);
    t.is(code, 0);
    t.is(stdout, `Cloudsnap backup started successfully with id: ${TASK_ID}\n`);
  }
  t.deepEqual(
    seen,
    lines.map(() => ({ volume: 'NewVol', full: false, credential: 'mine' })),
  );
  await lab.run('cs', 'b', '980081626967128253', '-f', '-i', '3');
  t.deepEqual(seen.at(-1), { volume: '980081626967128253', full: true, frequency: 3 });
});

test('cloudsnap restore says volume and task; lazy and no-hydrate travel', async (t) => {
  const seen: unknown[] = [];
  const lab = await openCliLab(t, {
    restore: (input) => {
      seen.push(input);
      return {
        volume: volumeView({ id: '104172750626071399' }),
        task: taskView(),
        hydrateTask: null,
      };
    },
  });
  const { stdout } = await lab.run('cs', 'r', '-s', SNAP_ID, '-v', 'new', '--lazy', '--no-hydrate');
  t.is(
    stdout,
    'Cloudsnap restore started successfully on volume: 104172750626071399 ' +
      `with task name:${TASK_ID}\n`,
  );
  t.deepEqual(seen, [{ cloudsnap: SNAP_ID, lazy: true, hydrate: false, name: 'new' }]);
});

test('volume hydrate pauses, resumes and limits, and says how far it is', async (t) => {
  const seen: unknown[] = [];
  const hydration = {
    active: true,
    rateBytesPerSecond: 20 << 20,
    absentTimeoutSeconds: 60,
    etaSeconds: 90,
    waitingReaders: 2,
    waitingMs: 5000,
    outage: 'the store does not answer',
  };
  const backing = { credentialId: 'c', cloudsnapId: SNAP_ID, hydrate: true };
  const half = { presentBlocks: 32768, absentBlocks: 32768 };
  const lab = await openCliLab(t, {
    hydrateVolume: (input) => {
      seen.push(input);
      return volumeView({ ...half, backing, hydration });
    },
    listVolumes: () => [volumeView({ ...half, backing, hydration })],
    inspectAgent: () => ({
      version: '1',
      pid: 1,
      node: 'n',
      clusterId: 'c',
      stateDir: '/s',
      runtimeDir: '/r',
      started: '2019-01-16T22:27:00.000Z',
    }),
  });
  const { stdout } = await lab.run('volume', 'hydrate', 'NewVol', '--rate', '20M', '--resume');
  t.regex(stdout, /Hydration +: +50% here, active, 1m30s to go\n/);
  t.regex(stdout, /Rate limit +: +20 MiB\/s\n/);
  t.regex(stdout, /Waiting +: +2 readers, for 5s: the store does not answer\n/);
  await lab.run('volume', 'hydrate', 'NewVol', '--pause', '--absent-timeout', '60');
  t.deepEqual(seen, [
    { volume: 'NewVol', active: true, rateBytesPerSecond: 20 << 20 },
    { volume: 'NewVol', active: false, absentTimeoutSeconds: 60 },
  ]);
  t.regex((await lab.run('status')).stdout, /Waiting: volume NewVol: 2 readers, for 5s: the store/);
  t.is((await lab.run('volume', 'hydrate', 'NewVol', '--pause', '--resume')).code, 2);
});

test('cloudsnap status and history have the columns and words of the original', async (t) => {
  const done = taskView({ state: 'Done', elapsedMs: 209_826, ended: '2019-01-16T22:27:30.000Z' });
  const filters: unknown[] = [];
  const lab = await openCliLab(t, {
    listTasks: (filter) => {
      filters.push(filter);
      return [done, taskView()];
    },
    inspectTask: () => taskView(),
  });
  const { stdout } = await lab.run('cloudsnap', 'status');
  t.deepEqual(stdout.trimEnd().split('\n').map(cells), [
    ['NAME', 'SOURCEVOLUME', 'STATE', 'NODE', 'BYTES-PROCESSED', 'TIME-ELAPSED', 'COMPLETED'],
    [
      TASK_ID,
      SNAP_ID,
      'Backup-Done',
      '70.0.73.246',
      '1073741824',
      '3m29.826s',
      'Wed, 16 Jan 2019 22:27:30 UTC',
    ],
    [TASK_ID, SNAP_ID, 'Backup-Active', '70.0.73.246', '1073741824', '10.525s'],
  ]);
  t.is((await lab.run('cs', 's', '-n', TASK_ID)).stdout.trimEnd().split('\n').length, 2);
  await lab.run('cs', 'history', '-s', 'NewVol');
  t.deepEqual(filters, [{}, { history: true, volume: 'NewVol' }]);
});

test('cloudsnap list has the columns of the original, and its JSON the names', async (t) => {
  const lab = await openCliLab(t, { listCloudsnaps: () => [cloudsnapView()] });
  const { stdout } = await lab.run('cs', 'list');
  t.deepEqual(stdout.trimEnd().split('\n').map(cells), [
    ['SOURCEVOLUME', 'SOURCEVOLUMEID', 'CLOUD-SNAP-ID', 'CREATED-TIME', 'TYPE', 'STATUS'],
    ['NewVol', '56706279008755778', SNAP_ID, 'Thu, 17 Jan 2019 00:03:59 UTC', 'Manual', 'Done'],
  ]);
  const json = JSON.parse((await lab.run('cs', 'list', '-j')).stdout) as Record<string, unknown>[];
  t.deepEqual(Object.keys(json[0] ?? {}), [
    'ID',
    'SrcVolumeID',
    'SrcVolumeName',
    'Timestamp',
    'Metadata',
    'Status',
  ]);
});

test('names from a bucket cannot steer the terminal', async (t) => {
  const volumeName = 'x\u001b[2J\u009b31m\ny';
  const lab = await openCliLab(t, { listCloudsnaps: () => [cloudsnapView({ volumeName })] });
  const { stdout } = await lab.run('cs', 'list');
  t.is(stdout.split('\n').length, 3);
  // oxlint-disable-next-line no-control-regex -- they must not be there
  t.notRegex(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
});

test('--wait follows a task to its end and gives its exit code', async (t) => {
  const views = [
    taskView(),
    taskView({
      state: 'Failed',
      ended: '2019-01-16T22:27:30.000Z',
      info: ['the store is full'],
      result: { errorCode: 'store/full' },
    }),
  ];
  const lab = await openCliLab(t, {
    backup: () => taskView(),
    waitForTask: () => views.shift() ?? taskView(),
  });
  const { code, stdout, stderr } = await lab.run('cs', 'b', 'v', '--wait');
  t.is(code, EXIT.noSpace);
  t.is(stdout, `Cloudsnap backup started successfully with id: ${TASK_ID}\n`);
  t.regex(stderr, /Backup-Active 1 GiB of 2 GiB/);
  t.regex(stderr, /ended as Failed: the store is full/);
});

test('--wait with --json prints a line of JSON for each look, and nothing else', async (t) => {
  const views = [taskView(), taskView({ state: 'Done', ended: '2019-01-16T22:27:30.000Z' })];
  const lab = await openCliLab(t, {
    backup: () => taskView(),
    waitForTask: () => views.shift() ?? taskView(),
  });
  const { code, stdout, stderr } = await lab.run('cs', 'b', 'v', '--wait', '--json');
  t.is(code, 0);
  t.is(stderr, '');
  const states = stdout
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { state: string }).state);
  t.deepEqual(states, ['Active', 'Done']);
});

test('an interrupted --wait leaves the task running and says how to stop it', async (t) => {
  const asked = Promise.withResolvers<void>();
  const lab = await openCliLab(t, {
    backup: () => taskView(),
    waitForTask: (_input, signal) => {
      asked.resolve();
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(taskView())));
    },
  });
  const running = lab.run('cs', 'b', 'v', '--wait');
  await asked.promise;
  lab.interrupt();
  const { code, stderr } = await running;
  t.is(code, EXIT.interrupted);
  t.regex(
    stderr,
    new RegExp(`task ${TASK_ID} goes on; stop it with: cloudvol cloudsnap stop -n ${TASK_ID}`),
  );
});

test('deleted is said when it is', async (t) => {
  const ended = { ended: '2019-01-16T22:27:30.000Z' };
  const views = [
    taskView({ kind: 'Delete' }),
    taskView({ kind: 'Delete', state: 'Done', ...ended }),
  ];
  const lab = await openCliLab(t, {
    deleteCloudsnap: () => taskView(),
    waitForTask: () => views.shift() ?? taskView(),
  });
  const { code, stdout } = await lab.run('cs', 'delete', '--snap', SNAP_ID);
  t.is(code, 0);
  t.is(stdout, 'Cloudsnap deleted successfully\n');
  t.deepEqual(views, []);
});

test('an error is a sentence and a hint on stderr, or JSON, and an exit code', async (t) => {
  const lab = await openCliLab(t, {
    createVolume: () => {
      throw new CloudvolError('volume/exists', 'there is a volume v already', {
        hint: 'choose another',
      });
    },
  });
  const plain = await lab.run('volume', 'create', 'v', '--size', '1G');
  t.deepEqual(plain, {
    code: EXIT.conflict,
    stdout: '',
    stderr: 'cloudvol: there is a volume v already\nhint: choose another\n',
  });
  const json = await lab.run('volume', 'create', 'v', '--size', '1G', '--json');
  t.is(json.code, EXIT.conflict);
  t.deepEqual(JSON.parse(json.stderr), {
    error: {
      code: 'volume/exists',
      message: 'there is a volume v already',
      hint: 'choose another',
    },
  });
});

test('without an agent every command ends with 69 and the way out', async (t) => {
  const { code, stdout, stderr } = await runInProcess([
    'volume',
    'list',
    '--socket',
    '/nowhere/agent.sock',
  ]);
  t.is(code, EXIT.unavailable);
  t.is(stdout, '');
  t.is(
    stderr,
    'cloudvol: no agent is running at /nowhere/agent.sock\n' +
      'hint: start cloudvol-agent, or name its socket with --socket\n',
  );
});
