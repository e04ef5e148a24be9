import test from 'ava';
import type { Api } from '../../src/control/schemas.ts';
import { openCliLab, SNAP_ID } from './cli-lab.ts';

type Answer = Api['sweepCloudsnaps']['output'];

const REPORT: Answer = {
  leftovers: [
    {
      kind: 'dead-upload',
      cloudsnapId: SNAP_ID,
      volumeId: '56706279008755778',
      objects: 12,
      bytes: 3 * 2 ** 20,
      outcome: 'removed',
      note: null,
    },
    {
      kind: 'unfinished-deletion',
      cloudsnapId: `${SNAP_ID}9`,
      volumeId: '56706279008755778',
      objects: 5,
      bytes: 2 ** 20,
      outcome: 'kept',
      note: 'a host still reads from it',
    },
  ],
  listedObjects: 1000,
  trialObjects: 1,
};

test('every flag of sweep travels, and what was found is shown with its outcome', async (t) => {
  const inputs: object[] = [];
  const lab = await openCliLab(t, {
    sweepCloudsnaps: (input) => {
      inputs.push(input);
      return REPORT;
    },
  });
  const shown = await lab.run('cloudsnap', 'sweep', '--cred-id', 'mine', '--takeover');
  t.like(shown, { code: 0, stderr: '' });
  t.regex(shown.stdout, /dead-upload +12 +3(?:\.0)? MiB +removed/);
  t.regex(shown.stdout, /kept +a host still reads from it/);
  t.regex(shown.stdout, /\n13 of 1000 objects \(3(?:\.0)? MiB\) removed\n$/);
  const dry = await lab.run('cs', 'sweep', '-n');
  t.regex(dry.stdout, /would be removed; nothing was changed\n$/);
  const { stdout } = await lab.run('cs', 'sweep', '--json');
  t.deepEqual(JSON.parse(stdout), REPORT);
  t.deepEqual(inputs, [
    { credential: 'mine', dryRun: false, takeover: true },
    { dryRun: true, takeover: false },
    { dryRun: false, takeover: false },
  ]);
});
