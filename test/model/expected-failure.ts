import { hasCode } from '../../src/base/errors.ts';

const EXPECTED = [
  'store/unavailable',
  'store/corrupt',
  'cloudsnap/corrupt',
  'format/corrupt',
  'task/stopped',
  'cloudsnap/has-dependants',
  'cloudsnap/lost-race',
  'cloudsnap/in-doubt',
] as const;

/** Whether an operation may fail so, for the store's sake, by a stop or a crash. */
export function isExpectedFailure(error: unknown): boolean {
  if (EXPECTED.some((code) => hasCode(error, code))) return true;
  return error instanceof Error && error.message === 'the process is dead';
}
