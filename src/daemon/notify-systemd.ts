import { execFile } from 'node:child_process';

import type { Log } from '../base/log.ts';

/** systemd-notify sends one datagram. */
const NOTIFY_LIMIT_MS = 5000;

/**
 * Tells systemd that the agent is ready (`Type=notify`, `NotifyAccess=all`); nothing without
 * NOTIFY_SOCKET. Node has no Unix datagram sockets, so systemd's own program sends it.
 */
export function notifySystemdReady(env: NodeJS.ProcessEnv, log: Log): void {
  if (!env['NOTIFY_SOCKET']) return;
  const args = ['--ready', `--pid=${process.pid}`];
  execFile('systemd-notify', args, { timeout: NOTIFY_LIMIT_MS }, (error) => {
    // The agent serves all the same; systemd will say that it was not told.
    if (error) log.warn('systemd.not-notified', { error });
  });
}
