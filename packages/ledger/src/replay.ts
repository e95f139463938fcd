import { bytesEqual, compareBytes, type Store, type StoreEntry, type StoreRange, type Verifier } from '@nacre/base';
import { type Certificate, verifyCertificate } from '@nacre/consensus';
import type { Block } from './block.ts';
import { changesCommittee } from './header.ts';
import { derivedName, derivedRange } from './keys.ts';
import type { Ledger } from './ledger.ts';

/** Entries of each store read at once. */
const PAGE = 256;

/** The first block that does not follow from those before it. */
export interface ReplayProblem {
  readonly height: number;
  readonly what: string;
}

interface Replay {
  readonly source: Ledger;
  /** At a lower height, or the genesis. */
  readonly target: Ledger;
  readonly verifier: Verifier;
  /** Called after each block. */
  readonly executed: (height: number) => void;
}

/**
 * Executes the blocks of one ledger on another, as whoever syncs does: each header's state root has to be what comes out. Where the committee
 * changes, the certificate of the old one is verified.
 */
export async function replay({ source, target, verifier, executed }: Replay): Promise<ReplayProblem | null> {
  const { height: last } = source.tip;
  for (let height = target.tip.height + 1; height <= last; height++) {
    const hash = source.blockAt(height)?.hash;
    const loaded = hash && source.loadBlock(hash);
    if (loaded === undefined) return { height, what: 'it is missing' };
    const { block, transactions } = loaded;
    const checked = target.check(block, transactions);
    if (!checked.ok) return { height, what: `it does not follow from the blocks before it: ${checked.error.code}` };
    let certificate: Certificate | null = null;
    if (changesCommittee(block.header)) {
      certificate = source.linkCertificate(height) ?? null;
      if (!(await decides(certificate, block, target, verifier)))
        return { height, what: 'nothing shows that its committee has handed over' };
    }
    await target.apply(checked.value, certificate);
    executed(height);
  }
  return null;
}

async function decides(certificate: Certificate | null, { hash, header }: Block, target: Ledger, verifier: Verifier): Promise<boolean> {
  if (certificate === null || certificate.height !== header.height || !bytesEqual(certificate.blockHash, hash)) return false;
  const committee = target.committeeAt(header.height);
  return (await verifyCertificate({ committee, context: target.genesis.context, certificate, verifier })).ok;
}

/** What one store holds of a chain and another one, which has executed the same blocks, does not, or in another way; null if nothing. */
export async function differenceOf(store: Store, executed: Store): Promise<string | null> {
  const one = entries(store, derivedRange());
  const other = entries(executed, derivedRange());
  for (;;) {
    const [mine, theirs] = [(await one.next()).value, (await other.next()).value];
    if (mine === undefined && theirs === undefined) return null;
    const order = mine === undefined ? 1 : theirs === undefined ? -1 : compareBytes(mine.key, theirs.key);
    const named = derivedName((order <= 0 ? mine : theirs)?.key ?? new Uint8Array(0));
    if (order < 0) return `${named} is there that no block has made`;
    if (order > 0) return `${named} is missing`;
    if (!bytesEqual(mine?.value ?? new Uint8Array(0), theirs?.value ?? new Uint8Array(0))) return `${named} is not what the blocks make it`;
  }
}

async function* entries(store: Store, { gte, lt }: Pick<StoreRange, 'gte' | 'lt'>): AsyncGenerator<StoreEntry, undefined> {
  let from = gte;
  for (;;) {
    const page = await store.scan({ gte: from, lt, limit: PAGE });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return undefined;
    from = Uint8Array.of(...last.key, 0);
  }
}
