import type { Handlers } from '../../control/server.ts';
import { MAX_WAIT_MS } from '../../control/routes.ts';
import type { TaskRunner } from '../../tasks/task-runner.ts';
import type { Surroundings } from '../domain.ts';
import { taskView } from './views.ts';

type TaskCalls = 'listTasks' | 'inspectTask' | 'waitForTask' | 'stopTask';

/** How long `status` goes on showing a task that has ended; `history` shows all. */
const RECENT_MS = 24 * 3600 * 1000;

/** How long `stop` waits for the task to clean up before it answers. */
const STOP_MS = 10_000;

export interface TaskServiceDeps extends Surroundings {
  readonly tasks: TaskRunner;
  /** Aborted when the agent shuts down: nobody is kept waiting then. */
  readonly stopping: AbortSignal;
}

export class TaskService implements Pick<Handlers, TaskCalls> {
  readonly #deps: TaskServiceDeps;

  constructor(deps: TaskServiceDeps) {
    this.#deps = deps;
  }

  readonly listTasks: Handlers['listTasks'] = ({ volume, history }) => {
    const { tasks, clock } = this.#deps;
    return tasks
      .list({
        ...(volume !== undefined && { volume }),
        ...(!history && { endedSinceMs: clock.nowMs() - RECENT_MS }),
      })
      .map((task) => taskView(task, this.#deps));
  };

  readonly inspectTask: Handlers['inspectTask'] = ({ task }) =>
    taskView(this.#deps.tasks.find(task), this.#deps);

  readonly waitForTask: Handlers['waitForTask'] = async ({ task, waitMs }, signal) => {
    await this.#waitForEnd(task, Math.min(waitMs, MAX_WAIT_MS), signal);
    return taskView(this.#deps.tasks.find(task), this.#deps);
  };

  readonly stopTask: Handlers['stopTask'] = async ({ task }, signal) => {
    this.#deps.tasks.stop(task);
    await this.#waitForEnd(task, STOP_MS, signal);
    return taskView(this.#deps.tasks.find(task), this.#deps);
  };

  /**
   * Until the task ends, time is up, the caller hangs up or the agent stops, whichever comes first.
   */
  async #waitForEnd(task: string, limitMs: number, signal: AbortSignal): Promise<void> {
    const { tasks, clock, stopping } = this.#deps;
    const ended = tasks.ended(task);
    const settled = new AbortController();
    const sleep = clock.sleep(limitMs, AbortSignal.any([settled.signal, signal, stopping]));
    try {
      // The sleep rejects only to end the wait; a task that is not there rejects `ended`, which the
      // caller hears.
      await Promise.race([ended, sleep.catch(() => {})]);
    } finally {
      settled.abort();
    }
  }
}
