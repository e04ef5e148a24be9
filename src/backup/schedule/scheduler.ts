import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Schedule } from './schedule.ts';
import { latestDue, nextDue, type ScheduleKind } from './schedule-rule.ts';
import type { ScheduleTable } from './schedule-table.ts';

/** A clock that was set is noticed after this long at most. */
export const MAX_SLEEP_MS = 30_000;
/**
 * A clock that was set back further than this has told a wrong time before: what is due is counted
 * from the present one on. Within it, what ran is not run a second time.
 */
export const SET_BACK_MS = 3_600_000;
/** Due later than this is made up for: the agent was not there, or too busy. */
const LATE_MS = 120_000;

/** Of several kinds that are due at once, the rarest names the cloudsnap: it is kept longest. */
const RAREST_FIRST: readonly ScheduleKind[] = ['Monthly', 'Weekly', 'Daily', 'Periodic'];

export interface SchedulerOptions {
  readonly table: ScheduleTable;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Starts the backup and returns the id of its task; it may have to wait there for others.
   * @throws when none can be started.
   */
  readonly start: (schedule: Schedule, kind: ScheduleKind) => Promise<string>;
}

interface Due {
  readonly kind: ScheduleKind;
  readonly dueMs: number;
}

/**
 * Starts the backups that are due. What fell due while no agent ran is made up for once, however
 * often it was missed; what falls due while an earlier run is at work waits in the volume's queue.
 * Ends with close(); until then it needs no looking after: nothing that goes wrong stops it.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #closing = new AbortController();
  #wake = new AbortController();
  #running: Promise<void> = Promise.resolve();

  private constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  static start(options: SchedulerOptions): Scheduler {
    const scheduler = new Scheduler(options);
    scheduler.#running = scheduler.#run();
    return scheduler;
  }

  /** To be told after each change of the table. */
  changed(): void {
    this.#wake.abort();
  }

  /** Starts nothing more; resolves when nothing is being started. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    while (!this.#closing.signal.aborted) {
      this.#wake = new AbortController();
      let sleepMs = MAX_SLEEP_MS;
      try {
        sleepMs = await this.#turn();
      } catch (error) {
        // A database that cannot be read or written now may be so at the next turn.
        log.error('schedule.turn-failed', { error });
      }
      // Rejects only when it is woken.
      await clock.sleep(sleepMs, this.#wake.signal).catch(() => {});
    }
  }

  /** Starts what is due. @returns how long nothing will be, at most MAX_SLEEP_MS. */
  async #turn(): Promise<number> {
    const { table, clock } = this.#options;
    for (const schedule of table.list()) {
      if (this.#closing.signal.aborted) return 0;
      await this.#see(schedule, clock.nowMs());
    }
    const nowMs = clock.nowMs();
    const waits = table.list().map((schedule) => nextRunMs(schedule) - nowMs);
    return Math.max(0, Math.min(MAX_SLEEP_MS, ...waits));
  }

  async #see(schedule: Schedule, nowMs: number): Promise<void> {
    const { table, log } = this.#options;
    if (schedule.handledMs > nowMs + SET_BACK_MS) {
      log.warn('schedule.clock-set-back', { scheduleId: schedule.id, nowMs });
      table.setHandled(schedule.id, nowMs);
      return;
    }
    const due = dueOf(schedule, nowMs);
    if (!due) return;
    table.setHandled(schedule.id, nowMs);
    const { kind, dueMs } = due;
    const { id, volumeId } = schedule;
    const names = { scheduleId: id, volumeId, kind, due: new Date(dueMs).toISOString() };
    if (nowMs - dueMs > LATE_MS) log.warn('schedule.made-up-for', names);
    const ended = await this.#start(schedule, kind);
    table.setLastRun(id, { kind, dueMs, startedMs: nowMs, ...ended });
    if (ended.failure === null) log.info('schedule.started', { ...names, taskId: ended.taskId });
    else log.error('schedule.missed', { ...names, reason: ended.failure });
  }

  async #start(schedule: Schedule, kind: ScheduleKind) {
    try {
      return { taskId: await this.#options.start(schedule, kind), failure: null };
    } catch (error) {
      // The next time may be better; that this one was missed is on record.
      return { taskId: null, failure: messageOf(error) };
    }
  }
}

/** When the schedule is to run next. */
export function nextRunMs({ rules, handledMs, createdMs }: Schedule): number {
  return Math.min(...rules.map((rule) => nextDue(rule, handledMs, createdMs)));
}

/** What fell due since it was last seen to: the latest of it, if anything. */
function dueOf({ rules, createdMs, handledMs }: Schedule, nowMs: number): Due | undefined {
  const dues = rules.flatMap((rule): Due[] => {
    const dueMs = latestDue(rule, nowMs, createdMs);
    return dueMs > handledMs ? [{ kind: rule.kind, dueMs }] : [];
  });
  const rank = ({ kind }: Due) => RAREST_FIRST.indexOf(kind);
  return dues.toSorted((a, b) => rank(a) - rank(b))[0];
}
