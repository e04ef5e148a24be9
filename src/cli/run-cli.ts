import { systemClock } from '../base/clock.ts';
import { CloudvolError, messageOf } from '../base/errors.ts';
import { clientSocketPath } from '../config/socket-path.ts';
import { ControlClient } from '../control/client.ts';
import { toErrorBody } from '../control/error-body.ts';
import { EXIT, exitCodeOf, type ExitCode } from './exit-codes.ts';
import { findCommand, type Found } from './find-command.ts';
import { Input } from './input.ts';
import { printable, type Output } from './output.ts';

/**
 * Runs one command line.
 * @param signal ends the command early, with CloudvolError `cli/interrupted` as its reason
 * @returns its exit code; errors have been printed.
 */
export async function runCli(
  args: readonly string[],
  output: Output,
  signal: AbortSignal,
  input: Input = new Input(() => process.stdin, process.stderr),
): Promise<ExitCode> {
  try {
    if (args[0] === '--version') {
      const { packageVersion } = await import('../base/version.ts');
      output.line(packageVersion());
      return EXIT.ok;
    }
    const found = findCommand(args);
    if (found.kind === 'group') return await showGroup(found, output);
    return await runCommand(found, input, output, signal);
  } catch (error) {
    return reportError(error, isJson(args), output);
  }
}

async function runCommand(
  { path, entry, rest }: Extract<Found, { kind: 'command' }>,
  input: Input,
  output: Output,
  signal: AbortSignal,
): Promise<ExitCode> {
  const [{ command }, { parseArguments }] = await Promise.all([
    entry.load(),
    import('./parse-arguments.ts'),
  ]);
  const { options, values } = parseArguments(rest, command);
  if (options['help'] === true) {
    const { commandHelp } = await import('./help.ts');
    output.line(commandHelp(path, entry, command));
    return EXIT.ok;
  }
  const socket = typeof options['socket'] === 'string' ? options['socket'] : undefined;
  const context = {
    client: new ControlClient(clientSocketPath(socket, process.env)),
    input,
    output,
    json: options['json'] === true,
    clock: systemClock,
    signal,
  };
  type Run = Parameters<typeof command.run>;
  return (await command.run(context, options as Run[1], values)) ?? EXIT.ok;
}

async function showGroup(
  { path, group, isAsked }: Extract<Found, { kind: 'group' }>,
  output: Output,
): Promise<ExitCode> {
  const { groupHelp, programHelp } = await import('./help.ts');
  const text = group ? groupHelp(path, group) : programHelp();
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
