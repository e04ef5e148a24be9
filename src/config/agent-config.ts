import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { CloudvolError } from '../base/errors.ts';
import type { LogLevel } from '../base/log.ts';
import { DEFAULT_RUNTIME_DIR, agentSocketPath, socketPathProblem } from './socket-path.ts';

/**
 * What the agent needs to know before it starts; parsed once, never changed. Paths are absolute.
 */
export interface AgentConfig {
  /** Volumes, credentials, history: what must survive a reboot. */
  readonly stateDir: string;
  /** Socket and attached volumes: what means nothing after a reboot. */
  readonly runtimeDir: string;
  readonly socketPath: string;
  /**
   * Where bits that outlive the process but not the power would lie, if that is in memory (tmpfs).
   */
  readonly liveDir: string;
  readonly logLevel: LogLevel;
  /** A backup or restore that makes no progress for so long is ended; 0: never. */
  readonly stallLimitMs: number;
  /** From one sweep of a repository to the next, more or less; 0: none by itself. */
  readonly sweepIntervalMs: number;
  /** File with the passphrase of the secret store, for a start without anybody who logs in. */
  readonly secretsPassphraseFile?: string;
}

interface Setting {
  readonly flag:
    | 'state-dir'
    | 'runtime-dir'
    | 'log-level'
    | 'stall-limit'
    | 'sweep-interval'
    | 'secrets-passphrase-file';
  readonly env: string;
  readonly value: string;
  readonly about: string;
}

const DEFAULT_STATE_DIR = '/var/lib/cloudvol';
/** "Stalled task aborted after 10 minutes": longer than the retries of any store take. */
const DEFAULT_STALL_LIMIT = '10m';
/** Leftovers cost a little for a day: a listing of everything more often would cost more. */
const DEFAULT_SWEEP_INTERVAL = '24h';
const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };
/** A timer takes no more than 2^31 ms. */
const MAX_DURATION_MS = 7 * 24 * 3_600_000;
const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

const SETTINGS: readonly Setting[] = [
  {
    flag: 'state-dir',
    env: 'CLOUDVOL_STATE_DIR',
    value: DEFAULT_STATE_DIR,
    about: 'volumes, credentials, history, the embedded store',
  },
  {
    flag: 'runtime-dir',
    env: 'CLOUDVOL_RUNTIME_DIR',
    value: DEFAULT_RUNTIME_DIR,
    about: 'agent.sock, and volumes/<name> for each attached volume',
  },
  { flag: 'log-level', env: 'CLOUDVOL_LOG_LEVEL', value: 'info', about: LOG_LEVELS.join(', ') },
  {
    flag: 'stall-limit',
    env: 'CLOUDVOL_STALL_LIMIT',
    value: DEFAULT_STALL_LIMIT,
    about: 'ends a backup or restore without progress: 30s, 10m, 2h; 0: never',
  },
  {
    flag: 'sweep-interval',
    env: 'CLOUDVOL_SWEEP_INTERVAL',
    value: DEFAULT_SWEEP_INTERVAL,
    about: 'how often what dead uploads left in a bucket is removed: 6h, 24h; 0: never',
  },
  {
    flag: 'secrets-passphrase-file',
    env: 'CLOUDVOL_SECRETS_PASSPHRASE_FILE',
    value: '',
    about: 'unlocks the secret store at the start; else the systemd credential cloudvol-secrets',
  },
];

export function agentUsage(): string {
  const lines = SETTINGS.map(
    ({ flag, env, value, about }) =>
      `   --${flag.padEnd(23)} ${about} [${env}; default ${value || 'none'}]`,
  );
  return [
    'USAGE:',
    '   cloudvol-agent [options]',
    '',
    'OPTIONS:',
    ...lines,
    '   --version',
    '   --help',
  ].join('\n');
}

/**
 * Flags before environment before defaults.
 * @throws CloudvolError `config/invalid` that names every problem at once
 */
export function parseAgentConfig(args: readonly string[], env: NodeJS.ProcessEnv): AgentConfig {
  const { flags, problems } = readFlags(args);
  const value = (name: Setting['flag'], fallback: string) => {
    const setting = SETTINGS.find(({ flag }) => flag === name);
    return flags.get(name) ?? (env[setting?.env ?? ''] || fallback);
  };
  const path = (name: Setting['flag'], fallback: string) => {
    const text = value(name, fallback);
    if (text.includes('\0')) problems.push(`--${name} has a zero byte in it`);
    return resolve(text);
  };
  const stateDir = path('state-dir', DEFAULT_STATE_DIR);
  const runtimeDir = path('runtime-dir', DEFAULT_RUNTIME_DIR);
  const socketPath = agentSocketPath(runtimeDir);
  const tooLong = socketPathProblem(socketPath);
  if (tooLong) problems.push(`${tooLong}: choose a shorter --runtime-dir`);
  if (stateDir === runtimeDir) problems.push('--state-dir and --runtime-dir must differ');
  const logLevel = LOG_LEVELS.find((level) => level === value('log-level', 'info'));
  if (!logLevel) problems.push(`--log-level must be one of ${LOG_LEVELS.join(', ')}`);
  const stallLimitMs = parseDurationMs(value('stall-limit', DEFAULT_STALL_LIMIT));
  if (stallLimitMs === undefined) {
    problems.push('--stall-limit must be a time of up to a week such as 30s, 10m or 2h, or 0');
  }
  const sweepIntervalMs = parseDurationMs(value('sweep-interval', DEFAULT_SWEEP_INTERVAL));
  if (sweepIntervalMs === undefined) {
    problems.push('--sweep-interval must be a time of up to a week such as 6h or 24h, or 0');
  }
  const isWhole = stallLimitMs !== undefined && sweepIntervalMs !== undefined;
  if (problems.length > 0 || !isWhole || !logLevel) throw invalid(problems);
  const liveDir = join(runtimeDir, 'live');
  const passphraseFile =
    value('secrets-passphrase-file', '') || systemdCredential(env['CREDENTIALS_DIRECTORY']);
  return {
    stateDir,
    runtimeDir,
    liveDir,
    socketPath,
    logLevel,
    stallLimitMs,
    sweepIntervalMs,
    ...(passphraseFile !== undefined && { secretsPassphraseFile: resolve(passphraseFile) }),
  };
}

/** undefined for what is no such time. */
function parseDurationMs(text: string): number | undefined {
  if (text === '0') return 0;
  const [, count = '', unit = ''] = /^([1-9][0-9]{0,6})([smh])$/.exec(text) ?? [];
  const ms = Number(count) * (UNIT_MS[unit] ?? 0);
  return ms > 0 && ms <= MAX_DURATION_MS ? ms : undefined;
}

/** Where systemd puts what `LoadCredential=cloudvol-secrets:…` names: systemd.exec(5). */
function systemdCredential(directory: string | undefined): string | undefined {
  if (!directory) return undefined;
  const path = join(directory, 'cloudvol-secrets');
  return existsSync(path) ? path : undefined;
}

function readFlags(args: readonly string[]): { flags: Map<string, string>; problems: string[] } {
  const flags = new Map<string, string>();
  const problems: string[] = [];
  const options = Object.fromEntries(
    SETTINGS.map(({ flag }) => [flag, { type: 'string' as const }]),
  );
  // Not strict, since strict stops at the first mistake; the tokens show them all.
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind === 'positional')
      problems.push(`${JSON.stringify(token.value)} is not an option`);
    if (token.kind !== 'option') continue;
    if (!(token.name in options)) problems.push(`there is no option ${token.rawName}`);
    else if (!token.value) problems.push(`${token.rawName} needs a value`);
    else flags.set(token.name, token.value);
  }
  return { flags, problems };
}

function invalid(problems: readonly string[]): CloudvolError {
  return new CloudvolError('config/invalid', problems.join('; '), {
    hint: 'cloudvol-agent --help lists the options',
    details: { problems },
  });
}
