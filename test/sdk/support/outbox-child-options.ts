import type { DataSchema } from '@nacre/client';

export interface OutboxChildOptions {
  readonly urls: readonly string[];
  readonly genesisFile: string;
  /** Of the account, hex. */
  readonly seed: string;
  readonly directory: string;
  readonly validForMs: number;
  /** What to submit. */
  readonly numbers: readonly number[];
}

export const NOTE: DataSchema<{ readonly number: number }> = {
  name: 'note',
  version: 1,
  parse: (payload) => {
    const { number } = payload as { readonly number: unknown };
    if (typeof number !== 'number') throw new TypeError('a note has a number');
    return { number };
  },
};
