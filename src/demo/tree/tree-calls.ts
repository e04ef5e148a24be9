import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { extname, join } from 'node:path';
import { json } from 'node:stream/consumers';
import { CloudvolError, type ErrorCode } from '../../base/errors.ts';
import type { Reaper } from '../reaper/reaper.ts';
import type { Changes } from './change-tree.ts';
import type { TreeEntry } from './digest-tree.ts';
import type { Filled } from './fill-tree.ts';
import type { FileSource } from './find-files.ts';

/** What can be done to a tree on a mounted file system; `root` is the tree's. */
export interface TreeCalls {
  readonly fill: {
    readonly input: {
      readonly root: string;
      readonly sources: readonly FileSource[];
      readonly leastBytes: number;
      readonly mostBytes: number;
    };
    readonly output: Filled;
  };
  readonly change: {
    readonly input: { readonly root: string; readonly seed: number };
    readonly output: Changes;
  };
  readonly digest: {
    readonly input: { readonly root: string };
    readonly output: readonly TreeEntry[];
  };
  readonly read: {
    readonly input: { readonly root: string; readonly path: string };
    readonly output: TreeEntry;
  };
}

export type TreeRequest = {
  [Call in keyof TreeCalls]: { readonly call: Call } & TreeCalls[Call]['input'];
}[keyof TreeCalls];

type Answer<Output> =
  | { readonly ok: Output }
  | { readonly code: ErrorCode; readonly message: string };

/** Runs a call in a process of its own, which the reaper guards and the signal kills. */
export async function callTree<Call extends keyof TreeCalls>(
  reaper: Reaper,
  call: Call,
  input: TreeCalls[Call]['input'],
  signal: AbortSignal,
): Promise<TreeCalls[Call]['output']> {
  signal.throwIfAborted();
  const program = join(import.meta.dirname, `tree-program${extname(import.meta.filename)}`);
  const child = spawn(process.execPath, [program, JSON.stringify({ call, ...input })], {
    // Out of the way of Ctrl-C: this process decides what ends when.
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const kill = () => child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  try {
    await reaper.pid(child);
    const [answer] = await Promise.all([
      json(child.stdout) as Promise<Answer<TreeCalls[Call]['output']>>,
      once(child, 'exit'),
    ]);
    if ('ok' in answer) return answer.ok;
    throw new CloudvolError(answer.code, answer.message);
  } catch (error) {
    // A killed child leaves half an answer; the reason is the signal.
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', kill);
  }
}
