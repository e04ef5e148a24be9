import type { Writable } from 'node:stream';

/** Resolves when more can be written, and too when nobody will read it any more. */
export function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    if (stream.destroyed) return resolve();
    stream.once('drain', done);
    stream.once('close', done);
  });
}
