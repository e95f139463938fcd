import { fromUtf8, toHex } from '@nacre/base';
import { createVerifier } from '@nacre/crypto/native';
import { PROOF_BYTES_MAX, type Proven, verifyProof } from '@nacre/ledger';
import type { Command } from 'commander';
import { readGenesis } from '../../home.ts';
import { NodeError } from '../../node-error.ts';
import { readCheckpointFile, TRUST_PERIOD_OPTION, type TrustOptions, trustPeriod } from '../checkpoint-options.ts';
import { table } from '../command-io.ts';
import { EXIT } from '../exit-status.ts';
import type { CommandContext } from '../program.ts';
import { wholeNumber } from '../whole-number.ts';

/** Bytes of a payload that are read; the network's own limit is lower. */
const PAYLOAD_BYTES_MAX = 4 * 1024 * 1024;
/** In base64, inside JSON, with white space. */
const PROOF_TEXT_BYTES_MAX = 2 * PROOF_BYTES_MAX;
const INDEX_MAX = 2 ** 53 - 1;

interface RecordJson {
  readonly index: number;
  readonly height: number;
  readonly key: string | null;
  readonly schema: string;
  readonly payload: unknown;
}

interface SubmitOptions {
  readonly service: string;
  readonly key?: string;
  readonly schema?: string;
  readonly requestId?: string;
  readonly wait: string;
  readonly timeout: number;
}

interface Place {
  readonly service: string;
  readonly index?: number | undefined;
  readonly key?: string | undefined;
}

interface VerifyOptions extends TrustOptions {
  readonly genesis: string;
  readonly service?: string;
  readonly index?: number;
  readonly key?: string;
}

/** `submit`, `record …`, `verify`: writing, reading and proving. */
export function addRecordCommands(program: Command, context: CommandContext): void {
  program
    .command('submit')
    .description('have the node sign and record JSON, where it is configured to')
    .argument('[payload]', 'JSON; from standard input if it is missing or "-"')
    .requiredOption('--service <name>', 'service to write to')
    .option('--key <key>', 'under which the latest record can be asked for')
    .option('--schema <name@version>', 'what the payload says that it is')
    .option('--request-id <id>', 'the same one again at this node submits nothing anew')
    .option('--wait <status>', 'admitted (durable on the node) or committed (decided by the network)', 'committed')
    .option('--timeout <ms>', 'longest wait', wholeNumber(1, 60_000), 10_000)
    .action(async (payload: string | undefined, options: SubmitOptions) => {
      const text = payload === undefined || payload === '-' ? await context.io.readStdin(PAYLOAD_BYTES_MAX) : payload;
      await submit(parsePayload(text), options, context);
    });
  const record = program.command('record').description('records of a service');
  record
    .command('list')
    .description('records in order')
    .requiredOption('--service <name>', 'service to read')
    .option('--key <key>', 'only records under it')
    .option('--from <index>', 'first index', wholeNumber(0, INDEX_MAX))
    .option('--limit <count>', 'at most so many', wholeNumber(1, 1000), 20)
    .option('--newest-first', 'in descending order')
    .action(
      async ({
        service,
        key,
        from,
        limit,
        newestFirst,
      }: {
        service: string;
        key?: string;
        from?: number;
        limit: number;
        newestFirst?: true;
      }) => {
        const order = newestFirst === true ? 'descending' : 'ascending';
        const page = (await context.call('record_list', { service, key, fromIndex: from, limit, order })) as {
          readonly records: readonly RecordJson[];
        };
        context.print(page, () => recordLines(page.records));
      },
    );
  record
    .command('latest')
    .description('the latest record under a key')
    .requiredOption('--service <name>', 'service to read')
    .requiredOption('--key <key>', 'key to look for')
    .action(async ({ service, key }: { service: string; key: string }) => {
      const found = (await context.call('record_latest', { service, key })) as { record: RecordJson | null; height: number; ageMs: number };
      context.print(found, () => [
        ...(found.record === null ? ['no record'] : recordLines([found.record])),
        `as of height ${found.height}, ${(found.ageMs / 1000).toFixed(1)} s ago`,
      ]);
    });
  record
    .command('proof')
    .description('proof of a record by its index, or of the latest under a key; `nacre verify` checks it')
    .requiredOption('--service <name>', 'service to read')
    .option('--index <index>', 'index of the record', wholeNumber(0, INDEX_MAX))
    .option('--key <key>', 'key whose latest record, or absence, is proven')
    .option('--checkpoint <file>', 'for whoever verifies it with this checkpoint: a shorter proof, which the genesis alone does not verify')
    .action(async ({ service, index, key, checkpoint }: Place & { checkpoint?: string }) => {
      requireOne({ index, key });
      const fromHeight = checkpoint === undefined ? undefined : (await readCheckpointFile(checkpoint)).height;
      const proof = await context.call('record_proof', { service, index, key, fromHeight });
      context.print({ proof }, () => [String(proof)]);
    });
  addVerifyCommand(program, context);
}

function addVerifyCommand(program: Command, context: CommandContext): void {
  program
    .command('verify')
    .description('verify a proof from standard input with nothing but the genesis file, or with a checkpoint as well; no node is asked')
    .requiredOption('--genesis <file>', 'genesis file of the network')
    .option('--service <name>', 'the proof must be about this service')
    .option('--index <index>', 'and about the record with this index', wholeNumber(0, INDEX_MAX))
    .option('--key <key>', 'and about this key')
    .option('--checkpoint <file>', 'the proof must come of this checkpoint; see `nacre checkpoint`')
    .option(...TRUST_PERIOD_OPTION)
    .action(async (options: VerifyOptions) => {
      const genesis = await readGenesis(options.genesis);
      const checkpoint = options.checkpoint === undefined ? {} : { checkpoint: await readCheckpointFile(options.checkpoint) };
      const bytes = readProof(await context.io.readStdin(PROOF_TEXT_BYTES_MAX));
      const trust = { ...checkpoint, ...trustPeriod(options) };
      const verified = await verifyProof(genesis, bytes, createVerifier(genesis.scheme), trust);
      const refusal = verified.ok ? mismatch(verified.value, options) : verified.error;
      if (refusal !== null) {
        context.print({ valid: false, error: refusal }, () => [`the proof does not hold: ${refusal.code}`]);
        context.exitWith(EXIT.invalid);
      } else if (verified.ok) {
        const claim = claimJson(verified.value);
        context.print({ valid: true, ...claim }, () => claimLines(claim, genesis.network));
      }
    });
}

async function submit(
  payload: unknown,
  { service, key, schema, requestId, wait, timeout }: SubmitOptions,
  context: CommandContext,
): Promise<void> {
  const params = { service, key, schema, payload, requestId, wait, timeoutMs: timeout };
  const submitted = (await context.call('record_submit', params, { waitMs: timeout })) as {
    txId: string;
    status: string;
    height: number | null;
  };
  context.print(submitted, () => [
    `${submitted.status}${submitted.height === null ? '' : ` in block ${submitted.height}`}: transaction ${submitted.txId}`,
  ]);
  if (submitted.status === 'pending') context.exitWith(EXIT.pending);
}

function parsePayload(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new NodeError('ARGUMENT_INVALID', `the payload is not JSON: ${(cause as Error).message}`, {
      cause,
      hint: 'Text needs quotes: \'"like this"\'.',
    });
  }
}

function requireOne({ index, key }: Omit<Place, 'service'>): void {
  if ((index === undefined) === (key === undefined)) throw new NodeError('ARGUMENT_INVALID', 'give either --index or --key');
}

/** Base64 as `record proof` prints it, or the JSON of `record proof --json`. */
function readProof(text: string): Uint8Array {
  const trimmed = text.trim();
  let base64 = trimmed;
  if (trimmed.startsWith('{')) {
    const { proof } = parsePayload(trimmed) as { proof?: unknown };
    base64 = typeof proof === 'string' ? proof : '';
  }
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length > 0 && bytes.toString('base64') === base64) return new Uint8Array(bytes);
  throw new NodeError('ARGUMENT_INVALID', 'standard input holds no proof in base64', { hint: 'Pipe `nacre record proof …` into it.' });
}

/** A valid proof of something else than was asked for proves nothing to whoever asked. */
function mismatch(proven: Proven, wanted: { service?: string; index?: number; key?: string }): { readonly code: string } | null {
  const { service, index, key } = claimJson(proven);
  for (const [name, asked, shown] of [
    ['service', wanted.service, service],
    ['index', wanted.index, index],
    ['key', wanted.key, key],
  ] as const) {
    if (asked !== undefined && asked !== shown) return Object.assign({ code: 'PROOF_OF_SOMETHING_ELSE' }, { [name]: shown ?? null });
  }
  return null;
}

function claimJson(proven: Proven) {
  const asOf = { height: proven.asOf.height, timeMs: proven.asOf.timeMs, blockHash: toHex(proven.blockHash) };
  if (proven.kind === 'absent') return { kind: proven.kind, service: proven.service, key: proven.key, index: undefined, asOf };
  const { index, key, height, schema, schemaVersion, mediaType, payload } = proven.record;
  const shown = { kind: proven.kind, service: proven.service, key, index, height, schema: `${schema}@${schemaVersion}` };
  return { ...shown, payload: payloadJson(mediaType, payload), asOf };
}

/** A media type is what the writer says; the network does not look into payloads. */
function payloadJson(mediaType: string, payload: Uint8Array): unknown {
  if (mediaType === 'application/json') {
    try {
      return JSON.parse(fromUtf8(payload) ?? '') as unknown;
    } catch {
      // Shown as bytes, like every payload that is not JSON.
    }
  }
  return { mediaType, base64: Buffer.from(payload).toString('base64') };
}

function claimLines(claim: ReturnType<typeof claimJson>, network: string): string[] {
  const { asOf } = claim;
  const what =
    claim.kind === 'absent'
      ? `service ${claim.service} has no record under the key ${claim.key}`
      : `service ${claim.service} holds record ${claim.index}${claim.kind === 'latest' ? `, the latest under the key ${claim.key}` : ''}`;
  return [
    `the proof holds: ${what}`,
    ...('payload' in claim ? [`${claim.schema}: ${JSON.stringify(claim.payload)}`] : []),
    `network ${network}, as of block ${asOf.height} (${new Date(asOf.timeMs).toISOString()}), ${asOf.blockHash}`,
  ];
}

function recordLines(records: readonly RecordJson[]): string[] {
  if (records.length === 0) return ['no records'];
  const rows = records.map(({ index, height, key, schema, payload }) => [
    String(index),
    String(height),
    key ?? '-',
    schema,
    JSON.stringify(payload),
  ]);
  return table([['index', 'height', 'key', 'schema', 'payload'], ...rows]);
}
