import { Type } from 'typebox';

import { closed, reference } from './shapes.ts';
import { taskView } from './views.ts';

export const TASK_CALLS = {
  listTasks: {
    input: closed({
      volume: Type.Optional(Type.String({ description: 'id or name' })),
      history: Type.Optional(
        Type.Boolean({ description: 'all; otherwise the unfinished and the last day' }),
      ),
    }),
    output: Type.Array(taskView),
  },
  inspectTask: { input: closed({ task: reference() }), output: taskView },
  waitForTask: {
    input: closed({ task: reference(), waitMs: Type.Integer({ minimum: 0 }) }),
    output: taskView,
  },
  stopTask: { input: closed({ task: reference() }), output: taskView },
} as const;
