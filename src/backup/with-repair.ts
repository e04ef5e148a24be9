import { hasCode, messageOf } from '../base/errors.ts';
import type { CloudsnapEntry, CloudsnapRepository } from '../cloudsnap/cloudsnap-api.ts';
import type { DamageRecord } from '../cloudsnap/damage-register.ts';
import type { TaskContext } from '../tasks/task-api.ts';
import { fullBecause, type BackupPlan } from './plan-backup.ts';

export interface RepairInput {
  readonly repository: CloudsnapRepository;
  /** Of this volume in this repository, and not repaired yet. */
  readonly damage: readonly DamageRecord[];
  /** The visible cloudsnaps of this volume, ascending. */
  readonly visible: readonly CloudsnapEntry[];
}

/**
 * Makes up for known damage: an incremental also takes what lies in damaged objects of its parent,
 * so that it and all later ones are whole. Where the chain itself is in doubt, it is a full one.
 */
export async function withRepair(
  plan: BackupPlan,
  { repository, damage, visible }: RepairInput,
  task: TaskContext,
): Promise<BackupPlan> {
  if (plan.kind === 'full' || damage.length === 0) return plan;
  const adopted = plan.adopt ? { adopt: plan.adopt } : {};
  const broken = damage.find((record) => isLinkOf(record, visible));
  if (broken) {
    const why = `the manifest of ${broken.owner}, which is before it, is damaged`;
    return { ...fullBecause('chain-damaged', why), ...adopted };
  }
  try {
    const objects = new Set(damage.map(({ object }) => object));
    const repair = await repository.planRepair(plan.parent, objects, task.signal);
    if (repair.blocks.length === 0) return plan;
    const count = repair.blocks.reduce((sum, { blockCount }) => sum + blockCount, 0);
    task.note(`${count} blocks that are damaged in earlier cloudsnaps are uploaded again.`);
    return { ...plan, repair, also: repair.blocks };
  } catch (error) {
    if (!hasCode(error, 'cloudsnap/corrupt')) throw error;
    const why = `what it would build on is damaged: ${messageOf(error)}`;
    return { ...fullBecause('chain-damaged', why), ...adopted };
  }
}

/** Whether it is a manifest of the present chain: of the last full one, or later. */
function isLinkOf({ kind, object }: DamageRecord, visible: readonly CloudsnapEntry[]): boolean {
  if (kind !== 'manifest') return false;
  const chainStart = visible.findLast(({ manifest }) => manifest.parent === null);
  // Sequence numbers have as many digits in every key: keys ascend with them.
  const sequence = Number(object.slice(object.lastIndexOf('/') + 1));
  return sequence >= (chainStart?.manifest.sequence ?? 0);
}
