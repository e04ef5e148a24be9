import type { ErrorCode } from '../base/errors.ts';

/**
 * What a command's exit code says. From 64 on as in sysexits.h where it has a word, 28 as ENOSPC,
 * 130 as shells have it. docs/design/0004-control-plane.md prints the same table.
 */
export const EXIT = {
  ok: 0,
  /** Anything without a code of its own. */
  failed: 1,
  /** The command line, or what it asks for, makes no sense. */
  usage: 2,
  notFound: 3,
  /** Exists already, in use, needed by another, too many waiting. */
  conflict: 4,
  /** `--wait`: the task was stopped or aborted. */
  stopped: 5,
  noSpace: 28,
  /** Data is not what was written. */
  corrupt: 65,
  /** The agent, FUSE or a program that is needed is not there. */
  unavailable: 69,
  /** A mistake in cloudvol. */
  internal: 70,
  /** The store does not answer for now: try again. */
  tryAgain: 75,
  /** Not allowed, or locked: log in, or give the right passphrase. */
  noPermission: 77,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_CODE: Readonly<Record<string, ExitCode>> = {
  'agent/internal': EXIT.internal,
  'agent/bad-answer': EXIT.unavailable,
  'agent/connection-lost': EXIT.unavailable,
  'agent/not-running': EXIT.unavailable,
  'agent/stopping': EXIT.unavailable,
  'agent/timeout': EXIT.tryAgain,
  'credential/none': EXIT.usage,
  'credential/ambiguous': EXIT.usage,
  'secrets/locked': EXIT.noPermission,
  'secrets/wrong-passphrase': EXIT.noPermission,
  'cloudsnap/encrypted': EXIT.noPermission,
  'cloudsnap/wrong-passphrase': EXIT.noPermission,
  'cloudsnap/not-encrypted': EXIT.usage,
  'cloudsnap/in-doubt': EXIT.tryAgain,
  'store/unavailable': EXIT.tryAgain,
  'store/full': EXIT.noSpace,
  'task/queue-full': EXIT.conflict,
  'task/stopped': EXIT.stopped,
  'task/interrupted': EXIT.stopped,
};

/** The reason says what kind of error it is, whatever the area. */
const BY_REASON: readonly (readonly [pattern: RegExp, exit: ExitCode])[] = [
  [/^not-found$|^no-such-/, EXIT.notFound],
  [
    /^(exists|in-use|busy|restoring|ended|has-dependants|already-|not-attached|not-mounted)/,
    EXIT.conflict,
  ],
  [/^(denied|not-root|no-permission)$/, EXIT.noPermission],
  [/^no-space$/, EXIT.noSpace],
  [/^corrupt$/, EXIT.corrupt],
  [/^(no-fuse|no-loop|unavailable|too-many-files|no-memory)|missing$/, EXIT.unavailable],
  [/^(bad-|invalid)/, EXIT.usage],
];

export function exitCodeOf(code: ErrorCode): ExitCode {
  const exact = BY_CODE[code];
  if (exact !== undefined) return exact;
  if (code.startsWith('usage/')) return EXIT.usage;
  const reason = code.slice(code.indexOf('/') + 1);
  return BY_REASON.find(([pattern]) => pattern.test(reason))?.[1] ?? EXIT.failed;
}
