import { DEFAULT_FREQUENCY } from '../../backup/plan-backup.ts';
import type { ScheduleCloudsnaps } from '../../backup/schedule/schedule-cloudsnaps.ts';
import type { Schedule, SchedulePlan, ScheduleRetention } from '../../backup/schedule/schedule.ts';
import {
  parseScheduleRule,
  scheduleText,
  type ScheduleKind,
} from '../../backup/schedule/schedule-rule.ts';
import type { ScheduleTable } from '../../backup/schedule/schedule-table.ts';
import { Scheduler, nextRunMs } from '../../backup/schedule/scheduler.ts';
import { CloudvolError, messageOf } from '../../base/errors.ts';
import type { ScheduleView } from '../../control/schemas.ts';
import type { Handlers } from '../../control/server.ts';
import type { CredentialRegistry } from '../../secrets/credential-registry.ts';
import type { ManagedVolumes, Surroundings } from '../domain.ts';
import type { ScheduledRetention } from '../retention/scheduled-retention.ts';
import type { CloudsnapService } from './cloudsnap-service.ts';
import { isoTime } from './views.ts';

type ScheduleCalls = 'createSchedule' | 'updateSchedule' | 'listSchedules' | 'deleteSchedule';
type PlanInput = Omit<Parameters<Handlers['updateSchedule']>[0], 'schedule'>;

export interface ScheduleServiceDeps extends Surroundings {
  readonly table: ScheduleTable;
  readonly volumes: ManagedVolumes;
  readonly credentials: CredentialRegistry;
  readonly cloudsnaps: CloudsnapService;
  readonly made: ScheduleCloudsnaps;
  readonly retention: ScheduledRetention;
}

/** Every hour of a day and some more; beyond that a period is what is meant. */
const MAX_RULES = 32;

/** Keeps the schedules, and starts their backups while the agent runs. */
export class ScheduleService implements Pick<Handlers, ScheduleCalls> {
  readonly #deps: ScheduleServiceDeps;
  #scheduler: Scheduler | undefined;

  constructor(deps: ScheduleServiceDeps) {
    this.#deps = deps;
  }

  /** From now on what is due is started, also what was missed while no agent ran. */
  start(): void {
    const { table, clock, log } = this.#deps;
    const start = (schedule: Schedule, kind: ScheduleKind) => this.#backUp(schedule, kind);
    this.#scheduler = Scheduler.start({ table, clock, log, start });
  }

  async close(): Promise<void> {
    await this.#scheduler?.close();
    await this.#deps.retention.close();
  }

  readonly createSchedule: Handlers['createSchedule'] = ({ volume, ...input }) => {
    const { table, volumes, credentials, clock } = this.#deps;
    const { id } = volumes.find(volume);
    const plan = this.#changed(input, {
      credentialId: credentials.find(input.credential).id,
      rules: [],
      maxCloudsnaps: DEFAULT_FREQUENCY,
      full: false,
      retention: {},
    });
    const schedule = table.insert(id, plan, clock.nowMs());
    this.#scheduler?.changed();
    return this.#view(schedule);
  };

  readonly updateSchedule: Handlers['updateSchedule'] = ({ schedule: reference, ...input }) => {
    const { table, clock } = this.#deps;
    const known = table.find(reference);
    table.update(known.id, this.#changed(input, known), clock.nowMs());
    this.#scheduler?.changed();
    return this.#view(table.find(known.id));
  };

  readonly listSchedules: Handlers['listSchedules'] = ({ volume }) => {
    const { table, volumes } = this.#deps;
    const wanted = volume === undefined ? undefined : volumes.find(volume).id;
    return table
      .list()
      .filter(({ volumeId }) => wanted === undefined || volumeId === wanted)
      .map((schedule) => this.#view(schedule));
  };

  readonly deleteSchedule: Handlers['deleteSchedule'] = ({ schedule }) => {
    const { table } = this.#deps;
    table.delete(table.find(schedule).id);
    this.#scheduler?.changed();
    return {};
  };

  /** @throws CloudvolError `schedule/bad-times`, `schedule/bad-time`, `credential/*` */
  #changed(input: PlanInput, known: SchedulePlan): SchedulePlan {
    const rules = input.rules?.map(({ kind, at }) => parseScheduleRule(kind, at)) ?? known.rules;
    if (rules.length === 0 || rules.length > MAX_RULES) {
      const words = rules.length === 0 ? 'needs a time to run at' : `has over ${MAX_RULES} times`;
      throw new CloudvolError('schedule/bad-times', `a schedule ${words}`, {
        hint: 'give --periodic, --daily, --weekly or --monthly',
      });
    }
    return {
      credentialId:
        input.credential === undefined
          ? known.credentialId
          : this.#deps.credentials.find(input.credential).id,
      rules,
      maxCloudsnaps: input.max ?? known.maxCloudsnaps,
      full: input.full ?? known.full,
      retention: changedRetention(input.retention, known.retention),
    };
  }

  async #backUp(schedule: Schedule, kind: ScheduleKind): Promise<string> {
    const { id } = await this.#deps.cloudsnaps.startBackup({
      volume: schedule.volumeId,
      credential: schedule.credentialId,
      type: kind,
      full: schedule.full,
      frequency: schedule.maxCloudsnaps,
      onNamed: (cloudsnapId) => this.#noteMade(schedule, cloudsnapId),
    });
    this.#deps.retention.follow(schedule.id, id);
    return id;
  }

  #noteMade({ id }: Schedule, cloudsnapId: string): void {
    const { made, log } = this.#deps;
    try {
      made.note(id, cloudsnapId);
    } catch (error) {
      // The backup matters more: what is not on record is kept.
      log.error('schedule.cloudsnap-not-noted', { cloudsnapId, error: messageOf(error) });
    }
  }

  #view(schedule: Schedule): ScheduleView {
    const { id, volumeId, credentialId, rules, maxCloudsnaps, full } = schedule;
    const { lastRun, retention, lastRetention } = schedule;
    const volume = this.#deps.volumes.list().find((each) => each.id === volumeId);
    return {
      id,
      volumeId,
      volumeName: volume?.attributes.name ?? null,
      credentialId,
      rules: rules.map((rule) => ({ kind: rule.kind, at: scheduleText(rule) })),
      max: maxCloudsnaps,
      full,
      retention: retention && { ...retention },
      created: isoTime(schedule.createdMs),
      nextRun: isoTime(nextRunMs(schedule)),
      lastRun: lastRun && {
        kind: lastRun.kind,
        due: isoTime(lastRun.dueMs),
        started: isoTime(lastRun.startedMs),
        taskId: lastRun.taskId,
        failure: lastRun.failure,
      },
      lastRetention: lastRetention && {
        ended: isoTime(lastRetention.endedMs),
        removed: lastRetention.removed,
        failure: lastRetention.failure,
      },
    };
  }
}

/** Rules that are not mentioned stay; 0 takes one back; null keeps everything. */
function changedRetention(
  change: PlanInput['retention'],
  known: ScheduleRetention | null,
): ScheduleRetention | null {
  if (change === undefined) return known;
  if (change === null) return null;
  const rules = Object.entries({ ...known, ...change });
  return Object.fromEntries(rules.filter(([, value]) => value !== undefined && value > 0));
}
