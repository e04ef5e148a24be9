/**
 * Replaces the command line that `ps` and /proc show of this process, once a secret was in it. What
 * looked before has seen it: files and standard input are the better way.
 */
export function hideArguments(command: string): void {
  process.title = `cloudvol ${command}`;
}
