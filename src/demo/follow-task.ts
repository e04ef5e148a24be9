import { CloudvolError, type ErrorCode } from '../base/errors.ts';
import type { ControlClient } from '../control/client.ts';
import { MAX_WAIT_MS } from '../control/routes.ts';
import type { TaskView } from '../control/schemas.ts';

const ENDED: readonly string[] = ['Done', 'Failed', 'Stopped', 'Aborted'];

/**
 * Waits for the end of a task.
 * @throws `task/failed`, `task/stopped` or `task/aborted` with what the task says about it.
 */
export async function followTask(
  client: ControlClient,
  task: string,
  signal?: AbortSignal,
): Promise<TaskView> {
  for (;;) {
    const options = signal ? { signal } : {};
    const view = await client.call('waitForTask', { task, waitMs: MAX_WAIT_MS }, options);
    if (view.state === 'Done') return view;
    if (ENDED.includes(view.state)) {
      const code: ErrorCode = `task/${view.state.toLowerCase()}`;
      throw new CloudvolError(
        code,
        `the ${view.kind.toLowerCase()} of ${view.volumeName} ended: ${
          view.info.join('; ') || view.state
        }`,
      );
    }
  }
}
