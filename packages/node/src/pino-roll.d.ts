/** What is used of pino-roll, which brings no types: a SonicBoom stream that begins a new file at a size. */
declare module 'pino-roll' {
  import type { EventEmitter } from 'node:events';

  interface RollingStream extends EventEmitter {
    write(line: string): boolean;
    flushSync(): void;
    end(): void;
    /** Closes the file without writing what waits. */
    destroy(): void;
  }

  export default function roll(options: {
    readonly file: string;
    readonly size: string;
    readonly limit: { readonly count: number; readonly removeOtherLogFiles: boolean };
    readonly symlink: boolean;
    /** Bytes; beyond, lines are dropped. */
    readonly maxLength: number;
  }): Promise<RollingStream>;
}
