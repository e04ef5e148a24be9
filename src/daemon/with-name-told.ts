import type { TaskContext } from '../tasks/task-api.ts';

/** The task of a backup, with `onNamed` told the id of its cloudsnap as soon as it has one. */
export function withNameTold(
  task: TaskContext,
  onNamed: ((cloudsnapId: string) => void) | undefined,
): TaskContext {
  if (!onNamed) return task;
  return {
    id: task.id,
    signal: task.signal,
    progress(update) {
      if (update.cloudsnapId !== undefined) onNamed(update.cloudsnapId);
      task.progress(update);
    },
    note: (sentence) => task.note(sentence),
    result: (values) => task.result(values),
  };
}
