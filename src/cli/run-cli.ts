import { systemClock } from '../base/clock.ts';
import { CloudvolError, messageOf } from '../base/errors.ts';
import { clientSocketPath } from '../config/socket-path.ts';
import { ControlClient } from '../control/client.ts';
import { toErrorBody } from '../control/error-body.ts';
import type { Command } from './command.ts';
import { EXIT, exitCodeOf, type ExitCode } from './exit-codes.ts';
import { findCommand, type Found } from './find-command.ts';
import { Input } from './input.ts';
import { printable, type Output } from './output.ts';

/**
 * Runs one command line.
 * @param program the name that help and suggestions show
 * @param signal ends the command early, with CloudvolError `cli/interrupted` as its reason
 * @returns its exit code; errors have been printed.
 */
export async function runCli(
  args: readonly string[],
  output: Output,
  signal: AbortSignal,
  input: Input = new Input(() => process.stdin, process.stderr),
  program = 'cloudvol',
): Promise<ExitCode> {
  try {
    if (args[0] === '--version') {
      const { packageVersion } = await import('../base/version.ts');
      output.line(packageVersion());
      return EXIT.ok;
    }
    const found = findCommand(args, program);
    if (found.kind === 'group') return await showGroup(found, output, program);
    return await runCommand(found, { input, output, signal, program });
  } catch (error) {
    return reportError(error, isJson(args), output);
  }
}

interface Surroundings {
  readonly input: Input;
  readonly output: Output;
  readonly signal: AbortSignal;
  readonly program: string;
}

async function runCommand(
  { path, entry, rest }: Extract<Found, { kind: 'command' }>,
  { input, output, signal, program }: Surroundings,
): Promise<ExitCode> {
  const [{ command }, { parseArguments }] = await Promise.all([
    entry.load(),
    import('./parse-arguments.ts'),
  ]);
  const help = async () => (await import('./help.ts')).commandHelp(program, path, entry, command);
  if (rest.length === 0 && needsSomething(command)) {
    // As the original: who types the bare command asks what it takes.
    output.note(await help());
    return EXIT.usage;
  }
  const { options, values } = parseArguments(rest, command);
  if (options['help'] === true) {
    output.line(await help());
    return EXIT.ok;
  }
  const socket = typeof options['socket'] === 'string' ? options['socket'] : undefined;
  const context = {
    client: new ControlClient(clientSocketPath(socket, process.env)),
    input,
    output,
    json: options['json'] === true,
    local: options['local'] === true,
    clock: systemClock,
    signal,
  };
  type Run = Parameters<typeof command.run>;
  return (await command.run(context, options as Run[1], values)) ?? EXIT.ok;
}

function needsSomething({ arguments: named, options, needsOne }: Command): boolean {
  return (
    needsOne === true || [...named, ...Object.values(options)].some(({ required }) => required)
  );
}

async function showGroup(
  { path, group, isAsked }: Extract<Found, { kind: 'group' }>,
  output: Output,
  program: string,
): Promise<ExitCode> {
  const { groupHelp, programHelp } = await import('./help.ts');
  const text = group ? groupHelp(program, path, group) : programHelp(program);
  if (isAsked) output.line(text);
  else output.note(text);
  return isAsked ? EXIT.ok : EXIT.usage;
}

/** One sentence and what to do, on stderr; with `--json` the same as one JSON line there. */
function reportError(error: unknown, json: boolean, output: Output): ExitCode {
  if (!(error instanceof CloudvolError)) {
    // A mistake in this program: the stack is what its authors need.
    output.note(error instanceof Error && error.stack ? error.stack : messageOf(error));
    return EXIT.internal;
  }
  if (error.code === 'cli/interrupted') return EXIT.interrupted;
  if (json) output.note(JSON.stringify(toErrorBody(error)));
  else {
    output.note(`cloudvol: ${printable(error.message)}`);
    if (error.hint) output.note(`hint: ${printable(error.hint)}`);
  }
  return exitCodeOf(error.code);
}

/** Also when the arguments could not be parsed. */
function isJson(args: readonly string[]): boolean {
  return args.includes('--json') || args.includes('-j');
}
