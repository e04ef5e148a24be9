import { CloudvolError } from '../../../../base/errors.ts';
import { defineCommand, type CommandContext } from '../../../command.ts';
import { askPassphrase, readPassphrase } from '../../../read-secret.ts';

export const command = defineCommand({
  examples: [
    'cloudvol secrets kvdb login',
    'cloudvol secrets kvdb login --passphrase-file /etc/cloudvol/passphrase',
  ],
  arguments: [{ name: '-', about: '- reads the passphrase from the standard input' }],
  options: {
    'passphrase-file': { kind: 'text', about: 'file with the passphrase of the secret store' },
    'passphrase-fd': { kind: 'text', about: 'open descriptor with the passphrase' },
  },
  async run(context, options, [source]) {
    const { client, output, json, signal } = context;
    if (source !== undefined && source !== '-') {
      throw new CloudvolError(
        'usage/bad-argument',
        'a passphrase does not go on the command line',
        {
          hint: 'leave it out to be asked, or use -, --passphrase-file or --passphrase-fd',
        },
      );
    }
    const { hasPassphrase } = await client.call('inspectSecrets', {}, { signal });
    const passphrase =
      (await readPassphrase(
        {
          flag: 'passphrase',
          value: source,
          file: options['passphrase-file'],
          fd: options['passphrase-fd'],
          isNew: !hasPassphrase,
        },
        context,
      )) ?? (await ask(!hasPassphrase, context));
    const { passphraseSet } = await client.call('loginSecrets', { passphrase }, { signal });
    if (json) return output.json({ passphraseSet });
    output.line('Successful Login to Secrets Endpoint!');
    if (passphraseSet) {
      output.note('This first login has set the passphrase: it cannot be recovered, keep it safe.');
    }
  },
});

async function ask(isNew: boolean, context: CommandContext): Promise<string> {
  if (context.input.isTerminal) return askPassphrase(isNew, context);
  throw new CloudvolError('usage/missing-option', 'there is no terminal to ask on', {
    hint: 'give the passphrase by -, --passphrase-file FILE or --passphrase-fd N',
  });
}
