/**
 * Does the work on a mounted file system in a process of its own: a call that hangs there holds up
 * nobody, and the process can be killed. Takes one JSON request as its argument, prints one JSON
 * answer: `{ "ok": … }`, or `{ "code", "message" }`.
 */
import { execFileSync } from 'node:child_process';
import { CloudvolError, messageOf } from '../../base/errors.ts';
import { changeTree } from './change-tree.ts';
import { digestEntry, digestTree } from './digest-tree.ts';
import { fillTree } from './fill-tree.ts';
import type { TreeCalls, TreeRequest } from './tree-calls.ts';

function answer(request: TreeRequest): TreeCalls[keyof TreeCalls]['output'] {
  switch (request.call) {
    case 'fill': {
      const filled = fillTree(request.root, request.sources, request);
      flush(request.root);
      return filled;
    }
    case 'change': {
      const changes = changeTree(request.root, request.seed);
      flush(request.root);
      return changes;
    }
    case 'digest':
      return digestTree(request.root);
    case 'read':
      return digestEntry(request.root, request.path);
    default:
      throw new Error('no such call');
  }
}

/** syncfs(2): what was written is in the volume when this returns, not in the page cache only. */
function flush(root: string): void {
  execFileSync('sync', ['--file-system', root]);
}

function run(request: TreeRequest): unknown {
  try {
    return { ok: answer(request) };
  } catch (error) {
    process.exitCode = 1;
    if (error instanceof CloudvolError) return { code: error.code, message: error.message };
    // A failed read does not say of what.
    return { code: 'demo/failed', message: `files in ${request.root}: ${messageOf(error)}` };
  }
}

process.stdout.write(JSON.stringify(run(JSON.parse(process.argv[2] ?? '{}') as TreeRequest)));
