import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { type Log, type LogFields, NacreError, toHex } from '@nacre/base';
import pino from 'pino';
import roll from 'pino-roll';
import type { NodeConfiguration } from './configuration-schema.ts';
import { NodeError } from './node-error.ts';

/** Bytes of events that wait for the disk. Beyond: events are dropped, never the node's memory. */
const BUFFER_BYTES_MAX = 8 * 1024 * 1024;
/** Warnings and errors that also go to the terminal, per minute. Beyond: only into the file. */
const TERMINAL_LINES_PER_MINUTE = 60;

export interface NodeLog extends Log {
  /** Writes what is still in memory, unless the disk refuses it, and closes the file. */
  close(): Promise<void>;
}

export interface NodeLogOptions {
  /** Existing directory; the files in it are `node.1.log`, `node.2.log` and so on, and `current.log` leads to the newest. */
  readonly directory: string;
  readonly configuration: NodeConfiguration['logs'];
  /** Takes one line for people per warning and error. */
  readonly terminal: (line: string) => void;
}

/**
 * Structured events as JSON lines in rotated files, and the serious ones as short lines for people.
 *
 * A disk that refuses an event stops no node: whatever must be durable is somewhere else, and fails there.
 *
 * @throws {NodeError} `FILE_INACCESSIBLE` if nothing can be written into the directory
 */
export async function openNodeLog({ directory, configuration, terminal }: NodeLogOptions): Promise<NodeLog> {
  try {
    await access(join(directory, '.'), constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new NodeError('FILE_INACCESSIBLE', `cannot write logs into ${directory}: ${(cause as NodeJS.ErrnoException).code}`, {
      cause,
      fields: { path: directory },
      hint: 'Create the directory, or give the user who runs the node the right to write into it.',
    });
  }
  const stream = await roll({
    file: join(directory, 'node.log'),
    size: `${Math.max(1, Math.round(configuration.rotateBytes / 1024))}k`,
    limit: { count: configuration.keep, removeOtherLogFiles: true },
    symlink: true,
    maxLength: BUFFER_BYTES_MAX,
  });
  let failed = false;
  stream.on('error', (error: Error) => {
    if (!failed) terminal(`cannot write the log in ${directory}: ${error.message}`);
    failed = true;
  });
  const logger = pino({ level: configuration.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream);
  const lines = new LineAllowance(terminal);
  return {
    debug: (fields, event) => logger.debug(plainFields(fields), event),
    info: (fields, event) => logger.info(plainFields(fields), event),
    warn: (fields, event) => {
      logger.warn(plainFields(fields), event);
      lines.say('warning', fields, event);
    },
    error: (fields, event) => {
      logger.error(plainFields(fields), event);
      lines.say('error', fields, event);
    },
    close: () =>
      new Promise((resolve) => {
        stream.once('close', () => resolve());
        // After a failed write no end follows by itself, and a node whose disk is full must still say so and end.
        stream.once('error', () => {
          stream.destroy();
          resolve();
        });
        stream.end();
      }),
  };
}

class LineAllowance {
  readonly #terminal: (line: string) => void;
  #minute = 0;
  #said = 0;

  constructor(terminal: (line: string) => void) {
    this.#terminal = terminal;
  }

  say(level: string, fields: LogFields, event: string): void {
    const minute = Math.floor(performance.now() / 60_000);
    if (minute !== this.#minute) [this.#minute, this.#said] = [minute, 0];
    this.#said++;
    if (this.#said > TERMINAL_LINES_PER_MINUTE) return;
    this.#terminal(`${level}: ${event}${describe(fields)}`);
    if (this.#said === TERMINAL_LINES_PER_MINUTE) this.#terminal('further lines of this minute are in the log only');
  }
}

function describe(fields: LogFields): string {
  const parts = Object.entries(fields).map(([name, value]) => {
    const shown = value instanceof Error ? value.message : plain(value);
    return `${name}=${typeof shown === 'string' ? shown : JSON.stringify(shown)}`;
  });
  return parts.length === 0 ? '' : ` (${parts.join(' ')})`;
}

function plainFields(fields: LogFields): LogFields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, plain(value)]));
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (value instanceof NacreError) {
    const { code, message } = value as NacreError;
    return { code, message };
  }
  if (value instanceof Error) return { message: value.message, stack: value.stack };
  return value;
}
