import { defineCommand } from '../../command.ts';
import { EXIT } from '../../exit-codes.ts';

export const command = defineCommand({
  examples: ['cloudvol credentials validate my-s3'],
  arguments: [{ name: 'credential', about: 'credential, by name or UUID', required: true }],
  options: {},
  async run({ client, output, json, signal }, _options, [credential]) {
    const report = await client.call('validateCredential', { credential }, { signal });
    if (json) output.json(report);
    else {
      output.table(
        ['CHECK', 'OUTCOME', ''],
        report.checks.map(({ name, outcome, words }) => [name, outcome, words]),
      );
      if (report.valid) output.line('Credential validated successfully');
      else output.note('cloudvol: the credential cannot be used for cloudsnaps as it is');
    }
    return report.valid ? EXIT.ok : EXIT.failed;
  },
});
