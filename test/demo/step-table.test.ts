import test from 'ava';
import { StepTable } from '../../src/demo/step-table.ts';

test('steps are said as they end, and lined up in a table with a total', async (t) => {
  let sent = 3;
  const countRequests = async () => sent;
  const said: string[] = [];
  const table = new StepTable((line) => said.push(line), countRequests);
  const result = await table.step(
    'copy',
    async () => {
      sent += 12;
      return 5;
    },
    (count) => ({ bytes: count * 2 ** 20, remark: `${count} files` }),
  );
  await table.step('wait', async () => {});
  t.is(result, 5);
  t.deepEqual(said, ['  0.0 s  copy: 5 files', '  0.0 s  wait']);
  t.deepEqual(table.lines(), [
    'STEP    TIME  BYTES  REQUESTS',
    'copy   0.0 s  5 MiB        12',
    'wait   0.0 s',
    'total  0.0 s               12',
  ]);
});

test('a step that fails is not in the table, and its error goes on', async (t) => {
  const sent = 3;
  const countRequests = async () => sent;
  const said: string[] = [];
  const table = new StepTable((line) => said.push(line), countRequests);
  await t.throwsAsync(
    table.step('break', async () => {
      throw new Error('broken');
    }),
    { message: 'broken' },
  );
  t.deepEqual(said, []);
  t.is(table.lines().length, 2);
});
