import { bytesEqual } from '@nacre/base';
import { parseAddress } from '@nacre/crypto';
import { createVerifier } from '@nacre/crypto/native';
import type { Command } from 'commander';
import { z } from 'zod';
import { readGenesis } from '../../home.ts';
import { NodeError } from '../../node-error.ts';
import { verifyEvidence } from '../../verify-evidence.ts';
import { readCheckpointFile } from '../checkpoint-options.ts';
import { table } from '../command-io.ts';
import { EXIT } from '../exit-status.ts';
import type { CommandContext } from '../program.ts';
import { wholeNumber } from '../whole-number.ts';

/** Bytes that are read; an offence takes 15 KB as it is printed. */
const LIST_BYTES_MAX = 16 * 1024 * 1024;

interface Options {
  readonly from: number;
  readonly limit: number;
  readonly verify?: true;
  readonly genesis?: string;
  readonly checkpoint?: string;
}

interface Offences {
  readonly offences: readonly {
    readonly offence: number;
    readonly address: string;
    readonly name: string | null;
    readonly kind: string;
    readonly height: number;
    readonly round: number;
    readonly provenHeight: number;
  }[];
  readonly nextFrom: number | null;
}

/** What is verified of a printed list; whatever else it says is not believed. */
const PrintedOffences = z.object({
  offences: z.array(z.object({ offence: z.int(), address: z.string(), publicKey: z.base64(), evidence: z.base64() })),
});

const HELP = `
  nacre evidence --json > offences.json
  nacre evidence --verify --genesis genesis.json < offences.json

needs no node. A validator that rotated its key is known by a checkpoint that still has the key of that time (nacre checkpoint).`;

/** `evidence`: what validators are held for, and whether it holds. */
export function addEvidenceCommand(program: Command, context: CommandContext): void {
  program
    .command('evidence')
    .description('offences that were proven; with --verify, whether a printed list of them holds (from standard input)')
    .option('--from <number>', 'first offence', wholeNumber(0, Number.MAX_SAFE_INTEGER), 0)
    .option('--limit <count>', 'at most so many', wholeNumber(1, 100), 20)
    .option('--verify', 'verify offline what `nacre evidence --json` printed')
    .option('--genesis <file>', 'genesis file of the network, for --verify')
    .option('--checkpoint <file>', 'a trusted checkpoint, for keys that were rotated')
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      if (options.verify === true) return verifyList(options, context);
      const found = (await context.call('evidence_list', { from: options.from, limit: options.limit })) as Offences;
      context.print(found, () => offenceLines(found));
    });
}

function offenceLines({ offences, nextFrom }: Offences): string[] {
  if (offences.length === 0) return ['no offence is proven'];
  const rows = offences.map(({ offence, address, name, kind, height, round, provenHeight }) => [
    ...[String(offence), name ?? address, `two different ${kind}s`, String(height), String(round), String(provenHeight)],
  ]);
  return [
    ...table([['offence', 'validator', 'signed', 'height', 'round', 'proven in'], ...rows]),
    ...(nextFrom === null ? [] : [`more: nacre evidence --from ${nextFrom}`]),
  ];
}

async function verifyList({ genesis: file, checkpoint }: Options, context: CommandContext): Promise<void> {
  if (file === undefined) {
    throw new NodeError('ARGUMENT_INVALID', 'evidence is verified against a network: give --genesis', { fields: { argument: 'genesis' } });
  }
  const genesis = await readGenesis(file);
  const verifier = createVerifier(genesis.scheme);
  const trusted = checkpoint === undefined ? undefined : await readCheckpointFile(checkpoint);
  if (trusted !== undefined && !bytesEqual(trusted.genesisHash, genesis.hash)) {
    throw new NodeError('ARGUMENT_INVALID', 'the checkpoint is of another network', { fields: { argument: 'checkpoint' } });
  }
  const known = trusted === undefined ? [] : [trusted.committee];
  const verdicts: { offence: number; address: string; holds: boolean; reason: string | null }[] = [];
  for (const { offence, address, publicKey, evidence } of parseList(await context.io.readStdin(LIST_BYTES_MAX))) {
    const parsed = parseAddress(address);
    const claim = { publicKey: bytesOf(publicKey), evidence: bytesOf(evidence) };
    const verified = parsed.ok ? await verifyEvidence({ ...claim, address: parsed.value }, { genesis, known, verifier }) : parsed;
    verdicts.push({ offence, address, holds: verified.ok, reason: verified.ok ? null : verified.error.code });
  }
  context.print({ verified: verdicts }, () =>
    verdicts.map(
      ({ offence, address, holds, reason }) => `offence ${offence} of ${address}: ${holds ? 'holds' : `DOES NOT HOLD (${reason})`}`,
    ),
  );
  if (verdicts.some(({ holds }) => !holds)) context.exitWith(EXIT.invalid);
}

function parseList(text: string) {
  try {
    return PrintedOffences.parse(JSON.parse(text)).offences;
  } catch (cause) {
    throw new NodeError('FILE_MALFORMED', 'standard input holds no list of offences', {
      cause,
      hint: 'Give what `nacre evidence --json` printed.',
    });
  }
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
