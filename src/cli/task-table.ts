import type { TaskView } from '../control/schemas.ts';
import type { CommandContext } from './command.ts';
import { formatDuration, formatTime } from './format.ts';

const COLUMNS = [
  'NAME',
  'SOURCEVOLUME',
  'STATE',
  'NODE',
  'BYTES-PROCESSED',
  'TIME-ELAPSED',
  'COMPLETED',
];

/** Tasks as `cloudsnap status` and `history` show them. */
export function printTasks(tasks: readonly TaskView[], context: CommandContext): void {
  const { output, json } = context;
  if (json) return output.json(tasks.map(taskJson));
  output.table(
    COLUMNS,
    tasks.map((task) => [
      task.id,
      task.cloudsnapId || task.volumeId,
      `${task.kind}-${task.state}`,
      task.node,
      String(task.bytesDone),
      formatDuration(task.elapsedMs),
      formatTime(task.ended, context),
    ]),
  );
}

/** The names of the original's JSON, and what it does not have. */
export function taskJson(task: TaskView): Record<string, unknown> {
  return {
    ID: task.id,
    OpType: task.kind,
    Status: task.state,
    SrcVolumeID: task.volumeId,
    SrcVolumeName: task.volumeName,
    CloudSnapID: task.cloudsnapId,
    CredentialUUID: task.credentialId,
    NodeID: task.node,
    BytesTotal: task.bytesTotal,
    BytesDone: task.bytesDone,
    EtaSeconds: task.etaSeconds,
    StartTime: task.started,
    CompletedTime: task.ended,
    Info: task.info,
    Result: task.result,
  };
}
