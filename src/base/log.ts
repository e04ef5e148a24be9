/**
 * One JSON line per event. Names are `noun.past-tense` (`volume.attached`); fields carry ids, never
 * secrets or bodies.
 */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

const ORDER: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** @param write receives one line without its newline. */
export function createLog(write: (line: string) => void, minLevel: LogLevel = 'info'): Log {
  const emit =
    (level: LogLevel) =>
    (event: string, fields: LogFields = {}) => {
      if (ORDER.indexOf(level) < ORDER.indexOf(minLevel)) return;
      write(JSON.stringify({ time: new Date().toISOString(), level, event, ...describe(fields) }));
    };
  return { debug: emit('debug'), info: emit('info'), warn: emit('warn'), error: emit('error') };
}

export const silentLog: Log = createLog(() => {}, 'error');

function describe(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      value instanceof Error
        ? {
            name: value.name,
            message: value.message,
            ...('code' in value ? { code: value.code } : {}),
            ...(value.cause instanceof Error ? { cause: value.cause.message } : {}),
          }
        : typeof value === 'bigint'
          ? value.toString()
          : value,
    ]),
  );
}
