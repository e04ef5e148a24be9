import { readFileSync } from 'node:fs';
import { errnoOf } from '../../base/errors.ts';

/**
 * When a process started, in clock ticks since boot (field 22 of proc_pid_stat(5)); undefined if
 * there is no such process or it is a zombie. With the pid it names one process for good: a pid
 * is used again, a pid with its start time is not.
 */
export function processStart(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    // ESRCH: the process ended between open and read.
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined;
    throw error;
  }
  // The second field is the command in brackets, and may hold spaces and brackets of its own.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  return state === 'Z' || state === 'X' ? undefined : fields[22 - 3];
}
