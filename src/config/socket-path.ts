import { join, resolve } from 'node:path';

export const DEFAULT_RUNTIME_DIR = '/run/cloudvol';

/** `sun_path` of unix(7) has 108 bytes, the last of them the terminating zero. */
export const MAX_SOCKET_PATH_BYTES = 107;

export function agentSocketPath(runtimeDir: string): string {
  return join(runtimeDir, 'agent.sock');
}

/**
 * Where a command finds the agent: `--socket`, else CLOUDVOL_SOCKET, else in the runtime directory.
 */
export function clientSocketPath(flag: string | undefined, env: NodeJS.ProcessEnv): string {
  const named = flag || env['CLOUDVOL_SOCKET'];
  if (named) return resolve(named);
  return agentSocketPath(resolve(env['CLOUDVOL_RUNTIME_DIR'] || DEFAULT_RUNTIME_DIR));
}

/** One sentence when no socket can have this path; undefined when one can. */
export function socketPathProblem(path: string): string | undefined {
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_SOCKET_PATH_BYTES) return undefined;
  return `the socket path ${path} has ${bytes} bytes, Linux takes at most ${MAX_SOCKET_PATH_BYTES}`;
}
