import type { ErrorCode } from '../base/errors.ts';
import { formatByteSize } from '../base/byte-size.ts';
import type { TaskView } from '../control/schemas.ts';
import type { CommandContext } from './command.ts';
import { EXIT, exitCodeOf, type ExitCode } from './exit-codes.ts';
import { formatDuration } from './format.ts';
import { printable } from './output.ts';
import { progressBar } from './progress-bar.ts';

/** How often a bar moves: often enough to look alive. */
const BAR_MS = 250;

/** How often a line appears where there is no terminal: a log that stays readable. */
const LINE_MS = 5000;

/**
 * Shows a task's progress until it ends: a bar on a terminal, else a line now and then; with
 * `--json` a line of JSON each. The task goes on when the command is interrupted.
 * @throws CloudvolError `cli/interrupted`, and what the call throws
 */
export async function followTask(id: string, context: CommandContext): Promise<TaskView> {
  const { client, output, json, signal } = context;
  const isBar = output.isTerminal && !json;
  const waitMs = isBar ? BAR_MS : LINE_MS;
  try {
    for (;;) {
      const task = await client.call('waitForTask', { task: id, waitMs }, { signal });
      if (json) output.jsonLine(task);
      else if (isBar) output.transient(progressBar(task, output.terminalColumns));
      else output.note(progressLine(task));
      if (task.ended !== null) return task;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    if (isBar) output.transient('');
    if (signal.aborted)
      output.note(`task ${id} goes on; stop it with: cloudvol cloudsnap stop -n ${id}`);
  }
}

/** Says how a task ended and gives the exit code for it. */
export function reportEnd(task: TaskView, { output, json }: CommandContext): ExitCode {
  const name = `${task.kind} ${task.id}`;
  if (task.state === 'Done') {
    if (!json) output.line(`${name} is done: ${summaryOf(task)}`);
    return EXIT.ok;
  }
  if (!json) {
    const sentences = task.info.map((sentence) => sentence.replace(/\.$/, '')).join('; ');
    output.note(`cloudvol: ${name} ended as ${task.state}: ${printable(sentences)}`);
  }
  const code = task.result['errorCode'];
  return typeof code === 'string' ? exitCodeOf(code as ErrorCode) : EXIT.failed;
}

function summaryOf({ bytesDone, elapsedMs, result }: TaskView): string {
  const uploaded = result['uploadedBytes'];
  const parts = [`${formatByteSize(bytesDone)} in ${formatDuration(elapsedMs)}`];
  if (typeof uploaded === 'number') parts.push(`${formatByteSize(uploaded)} uploaded`);
  return parts.join(', ');
}

function progressLine(task: TaskView): string {
  const share = task.bytesTotal === 0 ? '' : ` of ${formatByteSize(task.bytesTotal)}`;
  const done = `${formatByteSize(task.bytesDone)}${share}`;
  return `${task.kind}-${task.state} ${done} ${formatDuration(task.elapsedMs)}`;
}
