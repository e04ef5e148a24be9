import test from 'ava';

import type { Api } from '../../src/control/schemas.ts';
import { cloudsnapView, openCliLab, taskView } from './cli-lab.ts';

const snaps = ['a', 'b', 'c'].map((id, index) =>
  cloudsnapView({ id, created: `2019-01-1${index}T00:00:00.000Z` }),
);

test('cloudsnap list --paginate shows all, page by page', async (t) => {
  const seen: Api['listCloudsnaps']['input'][] = [];
  const lab = await openCliLab(t, {
    listCloudsnaps: (input) => {
      seen.push(input);
      const place = (view: (typeof snaps)[number]) => `${view.created} ${view.id}`;
      return snaps.filter((view) => place(view) > (input.after ?? '')).slice(0, input.max);
    },
  });
  const { code, stdout } = await lab.run('cs', 'list', '-p', '-x', '2');
  t.is(code, 0);
  const ids = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/\s{2,}/)[2]);
  t.deepEqual(ids, ['CLOUD-SNAP-ID', 'a', 'b', 'CLOUD-SNAP-ID', 'c']);
  t.deepEqual(
    seen.map(({ after, max }) => [after, max]),
    [
      ['', 2],
      ['2019-01-11T00:00:00.000Z b', 2],
    ],
  );
  const json = await lab.run('cs', 'list', '-p', '-x', '2', '--json');
  const pages = json.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown[]);
  t.deepEqual(
    pages.map(({ length }) => length),
    [2, 1],
  );
});

test('every filter of cloudsnap list is passed on', async (t) => {
  let seen: unknown;
  const lab = await openCliLab(t, {
    listCloudsnaps: (input) => {
      seen = input;
      return [];
    },
  });
  const filters = ['-a', '-s', 'db', '-c', 'bucket', '-t', 'failed', '--label', 'a=b'];
  const { code } = await lab.run('cs', 'l', ...filters, '-x', '3', '-i', 'c/1-1', '-d');
  t.is(code, 0);
  t.deepEqual(seen, {
    allClusters: true,
    source: 'db',
    cluster: 'bucket',
    status: 'failed',
    labels: { a: 'b' },
    max: 3,
    cloudsnap: 'c/1-1',
    deletedSource: true,
  });
});

test.serial('--local shows times in the zone of the host, without it they are UTC', async (t) => {
  const zone = process.env['TZ'];
  t.teardown(() => {
    if (zone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = zone;
  });
  process.env['TZ'] = 'Asia/Tokyo';
  const ended = taskView({ state: 'Done', ended: '2019-01-16T22:27:30.000Z' });
  const lab = await openCliLab(t, {
    listCloudsnaps: () => [snaps[0]!],
    listTasks: () => [ended],
  });
  const local = (...args: string[]) => lab.run(...args, '--local');
  t.regex((await local('cs', 'list')).stdout, /Thu, 10 Jan 2019 09:00:00 (GMT\+9|JST)/);
  t.regex((await local('cs', 'history')).stdout, /Thu, 17 Jan 2019 07:27:30 (GMT\+9|JST)/);
  t.regex((await lab.run('cs', 'status', '-l')).stdout, /Thu, 17 Jan 2019 07:27:30 /);
  t.regex((await lab.run('cs', 'history')).stdout, /Wed, 16 Jan 2019 22:27:30 UTC/);
});

test('cloudsnap backup --label gives labels to the cloudsnap', async (t) => {
  let seen: unknown;
  const lab = await openCliLab(t, {
    backup: (input) => {
      seen = input;
      return taskView();
    },
  });
  await lab.run('cs', 'b', 'NewVol', '--label', 'a=b,c=d', '-l', 'e=f');
  t.like(seen, { labels: { a: 'b', c: 'd', e: 'f' } });
});
