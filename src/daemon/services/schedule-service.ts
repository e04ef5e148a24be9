import { DEFAULT_FREQUENCY } from '../../backup/plan-backup.ts';
import type { Schedule, SchedulePlan } from '../../backup/schedule/schedule.ts';
import {
  parseScheduleRule,
  scheduleText,
  type ScheduleKind,
} from '../../backup/schedule/schedule-rule.ts';
import type { ScheduleTable } from '../../backup/schedule/schedule-table.ts';
import { Scheduler, nextRunMs } from '../../backup/schedule/scheduler.ts';
import { CloudvolError } from '../../base/errors.ts';
import type { ScheduleView } from '../../control/schemas.ts';
import type { Handlers } from '../../control/server.ts';
import type { CredentialRegistry } from '../../secrets/credential-registry.ts';
import type { ManagedVolumes, Surroundings } from '../domain.ts';
import type { CloudsnapService } from './cloudsnap-service.ts';
import { isoTime } from './views.ts';

type ScheduleCalls = 'createSchedule' | 'updateSchedule' | 'listSchedules' | 'deleteSchedule';
type PlanInput = Omit<Parameters<Handlers['updateSchedule']>[0], 'schedule'>;

export interface ScheduleServiceDeps extends Surroundings {
  readonly table: ScheduleTable;
  readonly volumes: ManagedVolumes;
  readonly credentials: CredentialRegistry;
  readonly cloudsnaps: CloudsnapService;
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
  }

  readonly createSchedule: Handlers['createSchedule'] = ({ volume, ...input }) => {
    const { table, volumes, credentials, clock } = this.#deps;
    const { id } = volumes.find(volume);
    const plan = this.#changed(input, {
      credentialId: credentials.find(input.credential).id,
      rules: [],
      maxCloudsnaps: DEFAULT_FREQUENCY,
      full: false,
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
    };
  }

  async #backUp(schedule: Schedule, kind: ScheduleKind): Promise<string> {
    const { id } = await this.#deps.cloudsnaps.startBackup({
      volume: schedule.volumeId,
      credential: schedule.credentialId,
      type: kind,
      full: schedule.full,
      frequency: schedule.maxCloudsnaps,
    });
    return id;
  }

  #view(schedule: Schedule): ScheduleView {
    const { id, volumeId, credentialId, rules, maxCloudsnaps, full } = schedule;
    const { lastRun } = schedule;
    const volume = this.#deps.volumes.list().find((each) => each.id === volumeId);
    return {
      id,
      volumeId,
      volumeName: volume?.attributes.name ?? null,
      credentialId,
      rules: rules.map((rule) => ({ kind: rule.kind, at: scheduleText(rule) })),
      max: maxCloudsnaps,
      full,
      created: isoTime(schedule.createdMs),
      nextRun: isoTime(nextRunMs(schedule)),
      lastRun: lastRun && {
        kind: lastRun.kind,
        due: isoTime(lastRun.dueMs),
        started: isoTime(lastRun.startedMs),
        taskId: lastRun.taskId,
        failure: lastRun.failure,
      },
    };
  }
}
