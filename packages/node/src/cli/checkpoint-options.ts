import { readFile } from 'node:fs/promises';
import { type Checkpoint, readCheckpoint } from '@nacre/client';
import type { TrustPeriod } from '@nacre/ledger';
import { InvalidArgumentError } from 'commander';
import { NodeError } from '../node-error.ts';

const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const TRUST_PERIOD_TEXT = '14d';

/** What the commands that verify are told of what one trusts. */
export interface TrustOptions {
  readonly checkpoint?: string;
  readonly trustPeriod?: number;
}

/** Without a checkpoint the genesis counts as one of any age, unless the option is given. */
export const TRUST_PERIOD_OPTION: readonly [string, string, (text: string) => number] = [
  '--trust-period <time>',
  `how old the checkpoint may be, such as 90m, 36h or 14d (default: ${TRUST_PERIOD_TEXT} with a checkpoint; the genesis may have any age)`,
  readDuration,
];

/** Minutes, hours or days, in ms. */
function readDuration(text: string): number {
  const [, digits = '', unit = ''] = /^([1-9]\d{0,5})([mhd])$/.exec(text) ?? [];
  const unitMs = UNIT_MS[unit];
  if (unitMs === undefined) throw new InvalidArgumentError('It must be a whole number of minutes, hours or days: 90m, 36h, 14d.');
  return Number(digits) * unitMs;
}

/** As `verifyProof` and `connect` take it. */
export function trustPeriod({ checkpoint, trustPeriod: asked }: TrustOptions): { readonly trustPeriod?: TrustPeriod } {
  const periodMs = asked ?? (checkpoint === undefined ? undefined : readDuration(TRUST_PERIOD_TEXT));
  return periodMs === undefined ? {} : { trustPeriod: { periodMs, nowMs: Date.now() } };
}

/** @throws {NodeError} `FILE_INACCESSIBLE`; {NacreClientError} `CHECKPOINT_INVALID` */
export async function readCheckpointFile(path: string): Promise<Checkpoint> {
  const checkpoint = await checkpointFileIfThere(path);
  if (checkpoint !== undefined) return checkpoint;
  const hint = 'Make one with `nacre checkpoint`, or get one from somebody you trust.';
  throw new NodeError('FILE_INACCESSIBLE', `there is no checkpoint ${path}`, { fields: { path }, hint });
}

/** @returns undefined if there is no such file; else as `readCheckpointFile` */
export async function checkpointFileIfThere(path: string): Promise<Checkpoint | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new NodeError('FILE_INACCESSIBLE', `cannot read ${path}: ${(cause as Error).message}`, { cause, fields: { path } });
  }
  return readCheckpoint(text);
}
