import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { CloudvolError, errnoOf } from '../../base/errors.ts';
import { processStart } from './process-start.ts';
import type { Registration } from './registry.ts';

/**
 * Guards what this process makes on the host, and undoes what is left of it when this process
 * ends in any way: done(), a crash, SIGKILL, Ctrl-C. Register a thing before it is made, where
 * that is possible: registering what never comes to be costs nothing.
 * Each registration is with the reaper when its promise resolves.
 */
export interface Reaper {
  /** Ended by SIGTERM, then SIGKILL. Known by pid and start time: never another process. */
  pid(child: Pick<ChildProcess, 'pid'>): Promise<void>;
  mount(path: string): Promise<void>;
  /** Detached only if `backing` is still the file behind the device. */
  loop(device: string, backing: string): Promise<void>;
  /** Removed with all it holds; mounts in it and loop devices on its files are undone first. */
  directory(path: string): Promise<void>;
  /** Forgets all that was registered: it stays after this process ends. */
  keep(): Promise<void>;
  /** Cleans up now. @throws `demo/left-behind` when something would not go away. */
  done(): Promise<void>;
}

/** Resolves when the reaper stands guard. */
export async function openReaper(): Promise<Reaper> {
  const program = join(import.meta.dirname, `reaper-program${extname(import.meta.filename)}`);
  const child = spawn(process.execPath, [program], {
    // A session of its own: Ctrl-C reaches the foreground process group, not the guard.
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  await once(child.stdout, 'data');
  child.stdout.destroy();
  // A guard does not keep its caller from ending.
  child.unref();
  (child.stdin as typeof child.stdin & { unref(): void }).unref();

  const send = (entry: Registration): Promise<void> =>
    new Promise((resolve, reject) => {
      child.stdin.write(`${JSON.stringify(entry)}\n`, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  return {
    async pid({ pid }) {
      const start = pid === undefined ? undefined : processStart(pid);
      if (pid !== undefined && start !== undefined) await send(['pid', pid, start]);
    },
    mount: (path) => send(['mount', canonical(path)]),
    loop: (device, backing) => send(['loop', device, canonical(backing)]),
    directory: (path) => send(['dir', canonical(path)]),
    keep: () => send(['keep']),
    async done() {
      child.ref();
      child.stdin.end();
      await exited;
      if (child.exitCode !== 0) {
        throw new CloudvolError('demo/left-behind', 'not everything could be cleaned up', {
          hint: 'see the lines that begin with "reaper:"',
        });
      }
    },
  };
}

/** As the kernel's tables name it: the path itself may not exist yet, its folder does. */
function canonical(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return join(realpathSync(dirname(path)), basename(path));
  }
}
