import type { ScheduleCloudsnaps } from '../../backup/schedule/schedule-cloudsnaps.ts';
import type { RetentionRun, Schedule, ScheduleId } from '../../backup/schedule/schedule.ts';
import type { ScheduleTable } from '../../backup/schedule/schedule-table.ts';
import { abortable } from '../../base/abortable.ts';
import type { Clock } from '../../base/clock.ts';
import { CloudvolError, messageOf } from '../../base/errors.ts';
import type { VolumeId } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import type { Manifest } from '../../cloudsnap/cloudsnap-api.ts';
import type { CredentialRegistry } from '../../secrets/credential-registry.ts';
import type { TaskRunner } from '../../tasks/task-runner.ts';
import type { Repositories } from '../domain.ts';
import type { RetentionService } from '../services/retention-service.ts';
import type { RetentionPlanner, RetentionScope } from './retention-planner.ts';

export interface ScheduledRetentionDeps {
  readonly table: ScheduleTable;
  readonly made: ScheduleCloudsnaps;
  readonly credentials: CredentialRegistry;
  readonly repositories: Repositories;
  readonly planner: RetentionPlanner;
  readonly retention: Pick<RetentionService, 'start'>;
  readonly tasks: Pick<TaskRunner, 'ended'>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * After each backup that a schedule has made: removes what the schedule has made before and its
 * rules do not keep. The rules count each kind (Periodic, Daily, …) by itself, so that the daily
 * ones of a schedule do not push out its monthly ones. What is missed, because the agent ended or
 * the store did not answer, the next time makes up for.
 */
export class ScheduledRetention {
  readonly #deps: ScheduledRetentionDeps;
  readonly #closing = new AbortController();
  readonly #following = new Set<Promise<void>>();

  constructor(deps: ScheduledRetentionDeps) {
    this.#deps = deps;
  }

  /** @param taskId of the backup; the schedule's retention follows if it is done. */
  follow(id: ScheduleId, taskId: string): void {
    const following = this.#follow(id, taskId).finally(() => this.#following.delete(following));
    this.#following.add(following);
  }

  /** Waits for no backup and no deletion that is under way. */
  async close(): Promise<void> {
    this.#closing.abort(new CloudvolError('agent/stopping', 'the agent was shut down'));
    await Promise.all(this.#following);
  }

  /** Never rejects: what went wrong is on record, and the next backup tries again. */
  async #follow(id: ScheduleId, taskId: string): Promise<void> {
    const { table, tasks, clock, log } = this.#deps;
    const { signal } = this.#closing;
    try {
      const backup = await abortable(tasks.ended(taskId), signal);
      const schedule = table.list().find((each) => each.id === id);
      if (backup.state !== 'Done' || !schedule?.retention) return;
      const run = await this.#apply(schedule, signal);
      table.setLastRetention(id, run);
      if (run.failure !== null) {
        log.error('schedule.retention-failed', { scheduleId: id, failure: run.failure });
      }
    } catch (error) {
      if (signal.aborted) return;
      log.error('schedule.retention-failed', { scheduleId: id, error });
      this.#record(id, { endedMs: clock.nowMs(), removed: 0, failure: messageOf(error) });
    }
  }

  async #apply(schedule: Schedule, signal: AbortSignal): Promise<RetentionRun> {
    const { made, planner, retention, tasks, clock } = this.#deps;
    const scope = await this.#scopeOf(schedule);
    const planned = await planner.plan(scope, signal);
    const task = retention.start(scope, planned);
    if (!task) return { endedMs: clock.nowMs(), removed: 0, failure: null };
    const { state, info, result } = await abortable(tasks.ended(task.id), signal);
    const isDone = state === 'Done';
    for (const { entry, isKept } of isDone ? planned : []) {
      if (!isKept) made.forget(entry.manifest.cloudsnapId);
    }
    const removed = Number(result['removed'] ?? 0);
    return { endedMs: clock.nowMs(), removed, failure: isDone ? null : info.join(' ') };
  }

  async #scopeOf(schedule: Schedule): Promise<RetentionScope> {
    const { credentials, repositories, made } = this.#deps;
    const { id, credentialId, volumeId, retention, maxCloudsnaps } = schedule;
    const repository = await repositories.open(credentials.find(credentialId));
    const mine = made.of(id);
    // One by hand may have gone on with an upload that a schedule had begun.
    const groupOf = ({ cloudsnapId, type }: Manifest) =>
      type !== 'Manual' && mine.has(cloudsnapId) ? type : null;
    return {
      repository,
      credentialId,
      clusterId: repository.clusterId,
      volumeId: volumeId as VolumeId,
      policy: { rules: { ...retention, last: maxCloudsnaps }, groupOf },
    };
  }

  #record(id: ScheduleId, run: RetentionRun): void {
    try {
      this.#deps.table.setLastRetention(id, run);
    } catch (error) {
      // The log has said it already.
      this.#deps.log.error('schedule.not-recorded', { scheduleId: id, error });
    }
  }
}
