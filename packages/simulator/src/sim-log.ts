import type { Log, LogFields } from '@nacre/base';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogListener = (node: number, level: LogLevel, fields: LogFields, event: string) => void;

/** The log of one node, told to whoever listens. */
export function simLog(node: number, listener: LogListener): Log {
  const at =
    (level: LogLevel) =>
    (fields: LogFields, event: string): void =>
      listener(node, level, fields, event);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
