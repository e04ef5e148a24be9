/**
 * Runs tasks and keeps their records. States:
 *
 * | from   | to      | when                                                        |
 * |--------|---------|-------------------------------------------------------------|
 * | –      | Queued  | submitted                                                   |
 * | Queued | Active  | its lane and its kind have room                             |
 * | Queued | Stopped | stop()                                                      |
 * | Queued | Aborted | close()                                                     |
 * | Active | Done    | the work resolves, even if it was told to stop too late     |
 * | Active | Stopped | the work rejects after stop()                               |
 * | Active | Paused  | the work rejects after stop() with `task/paused`            |
 * | Active | Aborted | the work rejects after close()                              |
 * | Active | Failed  | the work rejects otherwise                                  |
 * | Queued, Active | Failed | found by open(): the agent ended without ending them |
 */
import assert from 'node:assert/strict';

import type { Clock } from '../base/clock.ts';
import { CloudvolError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { TaskContext, TaskKind, TaskRecord } from './task-api.ts';
import { failedRecord, newTaskRecord } from './task-records.ts';
import type { TaskSpec } from './task-spec.ts';
import type { TaskFilter, TaskTable } from './task-table.ts';

/** Tasks of one lane that may wait, as the specification has it for backups of a volume. */
export const MAX_QUEUED_PER_LANE = 5;

/** A bound on memory, not on use: no host has that many volumes in need of a task at once. */
export const MAX_QUEUED = 1000;

/**
 * Tasks at work at once. Each holds buffers of some tens of MiB; two cores are busy with two
 * backups already. Deletes cost requests only. Hydrations yield to everything else by the priority
 * of their requests. Nobody waits for a verification. A prune waits for its deletes.
 */
const MAX_ACTIVE: Readonly<Record<TaskKind, number>> = {
  Backup: 4,
  Restore: 4,
  Hydrate: 8,
  Delete: 4,
  Verify: 1,
  Prune: 4,
};

/** A task that notes in a loop must not grow the database; the first notes tell the cause. */
const MAX_NOTES = 50;

export type TaskWork = (task: TaskContext) => Promise<void>;

/** Lets go of what was taken for a task that will not run after all. */
export type TaskDiscard = () => Promise<void>;

export interface TaskRunnerOptions {
  readonly table: TaskTable;
  readonly clock: Clock;
  readonly log: Log;
}

interface Entry {
  record: TaskRecord;
  readonly work: TaskWork;
  readonly discard: TaskDiscard | undefined;
  readonly lane: string | undefined;
  readonly controller: AbortController;
  readonly ended: PromiseWithResolvers<TaskRecord>;
}

export class TaskRunner {
  readonly #table: TaskTable;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Queued and active tasks, in the order of submission. */
  readonly #entries = new Map<string, Entry>();
  #closed = false;

  private constructor({ table, clock, log }: TaskRunnerOptions) {
    this.#table = table;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Ends what an earlier agent left behind: none stays Active for ever. `interrupted` are those, as
   * they were.
   */
  static open(options: TaskRunnerOptions): {
    runner: TaskRunner;
    interrupted: readonly TaskRecord[];
  } {
    const interrupted = options.table.unended();
    for (const record of interrupted) {
      options.table.update({
        ...record,
        state: 'Failed',
        endedMs: options.clock.nowMs(),
        info: [...record.info, ...cutOffSentences(record)],
        result: { ...record.result, errorCode: 'task/interrupted' },
      });
    }
    options.table.prune();
    return { runner: new TaskRunner(options), interrupted };
  }

  /**
   * Records the task and starts it as soon as there is room. The record is durable when this
   * returns.
   * @param discard called instead of `work` when the task ends in the queue, before it does
   * @throws CloudvolError `task/queue-full`, `agent/stopping`
   */
  submit(spec: TaskSpec, work: TaskWork, discard?: TaskDiscard): TaskRecord {
    this.requireRoom(spec);
    const record = newTaskRecord(spec, this.#clock.nowMs());
    this.#table.insert(record);
    const entry: Entry = {
      record,
      work,
      discard,
      lane: spec.lane,
      controller: new AbortController(),
      ended: Promise.withResolvers(),
    };
    this.#entries.set(record.id, entry);
    this.#schedule();
    return entry.record;
  }

  /** @throws CloudvolError `task/not-found` */
  find(id: string): TaskRecord {
    const record = this.#entries.get(id)?.record ?? this.#table.find(id);
    if (record) return record;
    throw new CloudvolError('task/not-found', `there is no task ${JSON.stringify(id)}`, {
      hint: 'cloudvol cloudsnap history lists the tasks',
    });
  }

  /** In the order of submission. */
  list(filter: TaskFilter = {}): TaskRecord[] {
    return this.#table.list(filter).map((stored) => this.#entries.get(stored.id)?.record ?? stored);
  }

  /** Queued and active tasks. */
  running(): TaskRecord[] {
    return [...this.#entries.values()].map(({ record }) => record);
  }

  /**
   * Resolves with the final record; at once for a task that has ended. @throws CloudvolError
   * `task/not-found`
   */
  async ended(id: string): Promise<TaskRecord> {
    return this.#entries.get(id)?.ended.promise ?? this.find(id);
  }

  /**
   * Tells a task to stop; it ends when its work has cleaned up (see `ended`).
   * @param reason `task/stopped`, or `task/paused` for one that goes on as another task
   * @throws CloudvolError `task/not-found`, `task/ended`
   */
  stop(id: string, reason = new CloudvolError('task/stopped', 'stopped on request')): void {
    const entry = this.#entries.get(id);
    if (!entry) {
      const { state } = this.find(id);
      throw new CloudvolError('task/ended', `task ${id} has already ended: ${state}`);
    }
    this.#cancel(entry, reason);
  }

  /**
   * Aborts every task and waits for their ends, but no longer than `graceMs`. Takes no more tasks.
   */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    const entries = [...this.#entries.values()];
    for (const entry of entries) {
      this.#cancel(entry, new CloudvolError('task/interrupted', 'the agent was shut down'));
    }
    const timer = new AbortController();
    const tooLong = this.#clock.sleep(graceMs, timer.signal).then(
      () => this.#log.warn('task.still-running', { ids: [...this.#entries.keys()], graceMs }),
      // Rejects only when every task has ended in time.
      () => {},
    );
    await Promise.race([Promise.all(entries.map(({ ended }) => ended.promise)), tooLong]);
    timer.abort();
  }

  /** Whether `submit` would take this now. @throws what it throws */
  requireRoom({ lane, kind, volumeName }: TaskSpec): void {
    if (this.#closed) throw new CloudvolError('agent/stopping', 'the agent is shutting down');
    const queued = [...this.#entries.values()].filter(({ record }) => record.state === 'Queued');
    const inLane = lane === undefined ? 0 : queued.filter((entry) => entry.lane === lane).length;
    if (inLane < MAX_QUEUED_PER_LANE && queued.length < MAX_QUEUED) return;
    throw new CloudvolError(
      'task/queue-full',
      `no room for a ${kind.toLowerCase()} of volume ${volumeName}: ${inLane} are waiting already`,
      { hint: 'try again when one has ended, or stop one: cloudvol cloudsnap status' },
    );
  }

  #cancel(entry: Entry, reason: CloudvolError): void {
    const isAgain = entry.controller.signal.aborted;
    entry.controller.abort(reason);
    if (isAgain || entry.record.state !== 'Queued') return;
    if (!entry.discard) this.#end(entry, reason);
    // Neither rejects: nothing is left to float.
    else void this.#discard(entry).then(() => this.#end(entry, reason));
  }

  async #discard({ record, discard }: Entry): Promise<void> {
    try {
      await discard?.();
    } catch (error) {
      // The task ends in any case; what it held goes with the agent.
      this.#log.error('task.not-discarded', { ...namesOf(record), error });
    }
  }

  #schedule(): void {
    if (this.#closed) return;
    const busyLanes = new Set<string>();
    const active: Record<TaskKind, number> = {
      Backup: 0,
      Restore: 0,
      Hydrate: 0,
      Delete: 0,
      Verify: 0,
      Prune: 0,
    };
    for (const { record, lane } of this.#entries.values()) {
      if (record.state !== 'Active') continue;
      active[record.kind] += 1;
      if (lane !== undefined) busyLanes.add(lane);
    }
    for (const entry of this.#entries.values()) {
      const { record, lane, controller } = entry;
      if (record.state !== 'Queued' || controller.signal.aborted) continue;
      if (lane !== undefined && busyLanes.has(lane)) continue;
      // Also when its kind has no room: those behind it in its lane must not overtake it.
      if (lane !== undefined) busyLanes.add(lane);
      if (active[record.kind] >= MAX_ACTIVE[record.kind]) continue;
      active[record.kind] += 1;
      this.#start(entry);
    }
  }

  #start(entry: Entry): void {
    this.#change(entry, { state: 'Active', startedMs: this.#clock.nowMs() });
    this.#log.info('task.started', namesOf(entry.record));
    // Both outcomes are handled by #end, which does not throw: nothing is left to float.
    void Promise.resolve()
      .then(() => entry.work(this.#contextOf(entry)))
      .then(
        () => this.#end(entry, undefined),
        (error: unknown) => this.#end(entry, error),
      );
  }

  #end(entry: Entry, error: unknown): void {
    assert(entry.record.endedMs === null, 'a task ends once');
    const failure =
      error === undefined ? {} : failedRecord(entry.record, entry.controller.signal, error);
    this.#change(entry, { state: 'Done', endedMs: this.#clock.nowMs(), ...failure });
    this.#entries.delete(entry.record.id);
    const { state, info } = entry.record;
    const fields = { ...namesOf(entry.record), state };
    if (state === 'Failed') this.#log.error('task.failed', { ...fields, error });
    else this.#log.info('task.ended', { ...fields, info });
    entry.ended.resolve(entry.record);
    this.#schedule();
  }

  #contextOf(entry: Entry): TaskContext {
    return {
      id: entry.record.id,
      signal: entry.controller.signal,
      progress: (update) => {
        const { cloudsnapId } = entry.record;
        entry.record = { ...entry.record, ...update };
        if (entry.record.cloudsnapId !== cloudsnapId) this.#save(entry);
      },
      note: (sentence) => {
        const { info } = entry.record;
        if (info.length < MAX_NOTES) entry.record = { ...entry.record, info: [...info, sentence] };
      },
      result: (values) => {
        entry.record = { ...entry.record, result: { ...entry.record.result, ...values } };
      },
    };
  }

  #change(entry: Entry, change: Partial<TaskRecord>): void {
    entry.record = { ...entry.record, ...change };
    this.#save(entry);
  }

  /**
   * A synced write stops the event loop for milliseconds: on a change of state or name, not for
   * every step.
   */
  #save(entry: Entry): void {
    try {
      this.#table.update(entry.record);
      if (entry.record.endedMs !== null) this.#table.prune();
    } catch (error) {
      // The work matters more than its history: a full disk must not fail a backup to the cloud.
      this.#log.error('task.not-recorded', { id: entry.record.id, error });
    }
  }
}

function cutOffSentences({ kind, state }: TaskRecord): string[] {
  if (state === 'Queued') return ['the agent was stopped before the turn of the task came'];
  const cutOff = 'the agent was stopped before the task ended';
  if (kind !== 'Backup') return [cutOff];
  return [cutOff, 'the next backup of the volume goes on with what had been uploaded'];
}

function namesOf({ id, kind, volumeId, cloudsnapId }: TaskRecord): Record<string, string> {
  return { id, kind, volumeId, cloudsnapId };
}
