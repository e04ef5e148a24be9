import { createReadStream } from 'node:fs';

import { CloudvolError } from '../base/errors.ts';
import type { CommandContext } from './command.ts';
import { readText } from './read-text.ts';

type Asking = Pick<CommandContext, 'input' | 'signal'>;

/** What the help of every secret option ends with. */
export const SECRET_FORMS = '(or @FILE, or - for the standard input)';

/**
 * The value of a secret option: itself, `@FILE`, or `-` for the standard input, which is asked for
 * where somebody sits at a terminal. `@@…` is a value that begins with @.
 * @throws CloudvolError `usage/*`, never with the value in it
 */
export async function readSecret(flag: string, value: string, asking: Asking): Promise<string> {
  const { input, signal } = asking;
  if (value === '-') {
    const text = input.isTerminal
      ? await input.askHidden(flag, signal)
      : withoutLineBreak(await input.readAll());
    return notEmpty(flag, text);
  }
  if (value.startsWith('@@')) return value.slice(1);
  if (value.startsWith('@')) return notEmpty(flag, await readSecretFile(value.slice(1)));
  return value;
}

/** The text of a file without the line break at its end. @throws CloudvolError `usage/bad-file` */
export async function readSecretFile(path: string): Promise<string> {
  return withoutLineBreak(await readText(createReadStream(path), path));
}

export interface PassphraseOptions {
  /** Name of the option that takes the passphrase itself. */
  readonly flag: string;
  readonly value?: string | undefined;
  readonly file?: string | undefined;
  readonly fd?: string | undefined;
  /** A new one is asked for twice. */
  readonly isNew: boolean;
}

/**
 * A passphrase from the one place that was named; undefined when none was.
 * @throws CloudvolError `usage/*`, never with the passphrase in it
 */
export async function readPassphrase(
  { flag, value, file, fd, isNew }: PassphraseOptions,
  asking: Asking,
): Promise<string | undefined> {
  if ([value, file, fd].filter((given) => given !== undefined).length > 1) {
    throw new CloudvolError('usage/bad-option', `--${flag} was given in more than one way`, {
      hint: `use one of --${flag}, --${flag}-file, --${flag}-fd`,
    });
  }
  if (file !== undefined) return notEmpty(flag, await readFileOrInput(file, asking));
  if (fd !== undefined) return notEmpty(flag, await readDescriptor(flag, fd));
  if (value === undefined) return undefined;
  if (value === '-' && asking.input.isTerminal) return askPassphrase(isNew, asking);
  return readSecret(flag, value, asking);
}

/** Asks on the terminal. @throws CloudvolError `usage/bad-passphrase` when two are not the same */
export async function askPassphrase(isNew: boolean, { input, signal }: Asking): Promise<string> {
  const first = await input.askHidden(isNew ? 'New passphrase' : 'Passphrase', signal);
  if (first === '') throw new CloudvolError('usage/bad-passphrase', 'the passphrase is empty');
  if (isNew && (await input.askHidden('The same again', signal)) !== first) {
    throw new CloudvolError('usage/bad-passphrase', 'the two passphrases are not the same');
  }
  return first;
}

async function readFileOrInput(file: string, { input }: Asking): Promise<string> {
  return file === '-' ? withoutLineBreak(await input.readAll()) : readSecretFile(file);
}

async function readDescriptor(flag: string, fd: string): Promise<string> {
  if (!/^\d{1,6}$/.test(fd)) {
    throw new CloudvolError('usage/bad-option', `--${flag}-fd takes the number of a descriptor`);
  }
  const stream = createReadStream('', { fd: Number(fd), autoClose: false });
  return withoutLineBreak(await readText(stream, `descriptor ${fd}`));
}

/** Editors and `echo` end a file with a line break that nobody types at a prompt. */
function withoutLineBreak(text: string): string {
  return text.replace(/\r?\n$/, '');
}

function notEmpty(flag: string, text: string): string {
  if (text !== '') return text;
  throw new CloudvolError('usage/bad-option', `--${flag} has an empty value`);
}
