import { newTaskId } from '../../src/base/ids.ts';
import type { TaskContext } from '../../src/tasks/task-api.ts';

/** A task that writes down what it is told, and that a test can stop. */
export class RecordingTask implements TaskContext {
  readonly id = newTaskId();
  readonly #stop = new AbortController();
  readonly notes: string[] = [];
  readonly progressed: { bytesTotal?: number; bytesDone?: number; cloudsnapId?: string }[] = [];
  readonly results: Record<string, number | string> = {};

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  progress(update: { bytesTotal?: number; bytesDone?: number; cloudsnapId?: string }): void {
    // An empty one is a sign of life only.
    if (Object.keys(update).length > 0) this.progressed.push(update);
  }

  note(sentence: string): void {
    this.notes.push(sentence);
  }

  result(values: Readonly<Record<string, number | string>>): void {
    Object.assign(this.results, values);
  }

  stop(reason: Error): void {
    this.#stop.abort(reason);
  }
}
