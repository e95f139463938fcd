import { concatBytes, type Log, type LogFields, type Signer } from '@nacre/base';
import { type ChainContext, PROPOSAL_CONTEXT, proposalMessage, VOTE_CONTEXT, type VoteKind, voteMessage } from '@nacre/consensus';
import { addressOf } from '@nacre/crypto';
import { createSigner } from '@nacre/crypto/native';
import { VoteJournal } from '@nacre/ledger';
import { SigningDesk } from '@nacre/replica';
import { operationsSigned } from '../../src/signer/signed-operations.ts';
import { systemRandom } from '../../src/system-ports.ts';
import { LossyDisk } from './lossy-disk.ts';

const SCHEME = 'ml-dsa-44';
export const GENESIS = { hash: new Uint8Array(32).fill(7), context: { genesisHash: new Uint8Array(32).fill(7), chain: 0 } };
export const NONE = new Uint8Array(0);
const KEY: Signer = createSigner(SCHEME, new Uint8Array(32).fill(1));

export const hash = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

/** What a node asks for a vote. */
export function vote(height: number, round: number, kind: VoteKind, blockHash: Uint8Array | null, context: ChainContext = GENESIS.context) {
  return { context: VOTE_CONTEXT, message: voteMessage(context, { height, round, kind, blockHash }), contents: NONE };
}

export function proposal(height: number, round: number, blockHash: Uint8Array, validRound = -1) {
  const message = proposalMessage(GENESIS.context, { height, round, validRound, blockHash });
  return { context: PROPOSAL_CONTEXT, message, contents: NONE };
}

/** A log that keeps what it is told. */
export class KeptLog implements Log {
  readonly lines: string[] = [];

  debug(): void {}

  info(fields: LogFields, event: string): void {
    this.#keep(fields, event);
  }

  warn(fields: LogFields, event: string): void {
    this.#keep(fields, event);
  }

  error(fields: LogFields, event: string): void {
    this.#keep(fields, event);
  }

  #keep(fields: LogFields, event: string): void {
    this.lines.push(`${event} ${JSON.stringify(fields)}`);
  }
}

/** The home of a signer, across the lives of its processes. */
export class SigningDeskHome {
  readonly disk: LossyDisk;
  readonly key = KEY;

  private constructor(disk: LossyDisk) {
    this.disk = disk;
  }

  /** As `init` makes it. */
  static async create(): Promise<SigningDeskHome> {
    const home = new SigningDeskHome(new LossyDisk());
    await VoteJournal.create({ validator: addressOf(SCHEME, KEY.publicKey) }, home.#parts());
    return home;
  }

  copy(): SigningDeskHome {
    return new SigningDeskHome(this.disk.copy());
  }

  journal(): Promise<VoteJournal> {
    return VoteJournal.open({ validator: addressOf(SCHEME, KEY.publicKey) }, this.#parts());
  }

  #parts() {
    const { directory, store } = this.disk;
    return { directory, store, random: systemRandom };
  }

  /** A process of this home. */
  async start(): Promise<SigningDesk> {
    const options = { genesis: GENESIS, operations: new Set(operationsSigned(undefined)) };
    return new SigningDesk(options, { signer: KEY, journal: await this.journal(), log: new KeptLog() });
  }

  async restart({ powerCut = false } = {}): Promise<SigningDesk> {
    if (powerCut) this.disk.powerCut();
    return this.start();
  }
}

/** A byte in the middle is another one. */
export function flipMiddle(bytes: Uint8Array): Uint8Array {
  const at = bytes.length >> 1;
  return concatBytes(bytes.subarray(0, at), Uint8Array.of((bytes[at] as number) ^ 1), bytes.subarray(at + 1));
}
