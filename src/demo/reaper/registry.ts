import { isAbsolute, normalize } from 'node:path';

/** What the reaper ends, unmounts, detaches and removes: nothing that is not registered here. */
export interface Registry {
  readonly processes: { readonly pid: number; readonly start: string }[];
  readonly mounts: Set<string>;
  /** Loop device → the file that it must have behind it to be detached. */
  readonly loops: Map<string, string>;
  /** Removed with all they hold; mounts and loop devices below them are undone first. */
  readonly directories: Set<string>;
}

export function emptyRegistry(): Registry {
  return { processes: [], mounts: new Set(), loops: new Map(), directories: new Set() };
}

/** What a line of the reaper's protocol says: a JSON array of a word and its arguments. */
export type Registration =
  | readonly ['pid', pid: number, start: string]
  | readonly ['mount', path: string]
  | readonly ['loop', device: string, backing: string]
  | readonly ['dir', path: string]
  | readonly ['keep'];

/** @throws when the line registers nothing that a reaper may touch. */
export function register(registry: Registry, line: string): void {
  const entry = JSON.parse(line) as Registration;
  switch (entry[0]) {
    case 'pid':
      registry.processes.push({ pid: entry[1], start: entry[2] });
      break;
    case 'mount':
      registry.mounts.add(ownPath(entry[1]));
      break;
    case 'loop':
      registry.loops.set(ownPath(entry[1]), entry[2]);
      break;
    case 'dir':
      registry.directories.add(ownPath(entry[1]));
      break;
    case 'keep':
      registry.processes.length = 0;
      for (const entries of [registry.mounts, registry.loops, registry.directories])
        entries.clear();
      break;
    default:
      throw new Error(`the reaper does not know ${line}`);
  }
}

/** Whether `path` is the directory or lies below it; both canonical. */
export function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

/** A mistake of the caller must not cost a host its /usr. */
function ownPath(path: string): string {
  const clean = normalize(path).replace(/\/+$/, '');
  if (!isAbsolute(clean) || clean.split('/').length < 3) {
    throw new Error(`the reaper does not touch '${path}'`);
  }
  return clean;
}
