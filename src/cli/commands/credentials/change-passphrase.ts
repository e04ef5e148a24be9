import { CloudvolError, hasCode } from '../../../base/errors.ts';
import type { Api } from '../../../control/schemas.ts';
import { defineCommand, type CommandContext } from '../../command.ts';
import { hideArguments } from '../../hide-arguments.ts';
import { askPassphrase, readPassphrase, SECRET_FORMS } from '../../read-secret.ts';

type Input = Api['changePassphrase']['input'];
type Answer = Api['changePassphrase']['output'];

export const command = defineCommand({
  examples: [
    'cloudvol credentials change-passphrase my-s3',
    'cloudvol credentials change-passphrase my-s3 --passphrase-file new.txt',
  ],
  arguments: [{ name: 'credential', about: 'credential, by name or UUID', required: true }],
  options: {
    passphrase: { kind: 'text', about: `the new passphrase ${SECRET_FORMS} [asked for]` },
    'passphrase-file': { kind: 'text', about: 'file with the new passphrase' },
    'passphrase-fd': { kind: 'text', about: 'open descriptor with the new passphrase' },
    'old-passphrase': {
      kind: 'text',
      about: `the present one, where it was changed elsewhere ${SECRET_FORMS} [the agent's]`,
    },
    'old-passphrase-file': { kind: 'text', about: 'file with the present passphrase' },
    'old-passphrase-fd': { kind: 'text', about: 'open descriptor with the present passphrase' },
    'all-clusters': {
      kind: 'flag',
      about: 'also for the other clusters of the bucket that the present passphrase opens',
    },
  },
  async run(context, options, [credential]) {
    const { output, json } = context;
    if (options.passphrase !== undefined || options['old-passphrase'] !== undefined) {
      hideArguments('credentials change-passphrase');
    }
    const oldPassphrase = await readPassphrase(
      {
        flag: 'old-passphrase',
        value: options['old-passphrase'],
        file: options['old-passphrase-file'],
        fd: options['old-passphrase-fd'],
        isNew: false,
      },
      context,
    );
    const given = await readPassphrase(
      {
        flag: 'passphrase',
        value: options.passphrase,
        file: options['passphrase-file'],
        fd: options['passphrase-fd'],
        isNew: true,
      },
      context,
    );
    const passphrase = given ?? (await ask(context));
    const answer = await change(context, {
      credential,
      passphrase,
      allClusters: options['all-clusters'],
      ...(oldPassphrase !== undefined && { oldPassphrase }),
    });
    if (json) output.json(answer);
    else tell(context, answer);
  },
});

async function ask(context: CommandContext): Promise<string> {
  if (context.input.isTerminal) return askPassphrase(true, context);
  throw new CloudvolError('usage/missing-option', 'there is no terminal to ask on', {
    hint: 'give the new passphrase by --passphrase-file FILE, --passphrase-fd N or --passphrase -',
  });
}

/** Asks for the present passphrase when it is not the one that the agent has. */
async function change(context: CommandContext, input: Input): Promise<Answer> {
  const { client, signal } = context;
  try {
    return await client.call('changePassphrase', input, { signal });
  } catch (error) {
    const canAsk = input.oldPassphrase === undefined && context.input.isTerminal;
    if (!canAsk || !hasCode(error, 'cloudsnap/wrong-passphrase')) throw error;
    const oldPassphrase = await context.input.askHidden('Present passphrase', signal);
    return await client.call('changePassphrase', { ...input, oldPassphrase }, { signal });
  }
}

function tell({ output }: CommandContext, answer: Answer): void {
  for (const name of answer.credentials) output.line(`Credential ${name} has the new passphrase`);
  if (answer.outcome === 'adopted') {
    output.line('It opens the cloudsnaps already: it was changed elsewhere');
  } else {
    output.line('Passphrase changed successfully');
    output.note(
      'Whoever else uses the bucket gives his agent the new passphrase by the same command.',
    );
  }
  for (const name of answer.unchecked) {
    output.note(
      `Credential ${name} had the same passphrase, and its store does not answer: ` +
        `if it is this bucket, cloudvol credentials change-passphrase ${name}`,
    );
  }
  if (answer.otherClusters > 0) {
    output.note(
      `${answer.otherClusters} other cluster(s) of the bucket keep their passphrase: ` +
        'a credential with that one reads them.',
    );
  }
}
