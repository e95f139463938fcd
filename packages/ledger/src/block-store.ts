import { bytesEqual, type Hash, type Store, type StoreOperation, toHex } from '@nacre/base';
import { type Certificate, type Committee, decodeCertificate, encodeCertificate, minimalCertificate } from '@nacre/consensus';
import { Block } from './block.ts';
import { LedgerError } from './errors.ts';
import type { Genesis } from './genesis.ts';
import { decodeHeader, type Header } from './header.ts';
import {
  blockKey,
  blockOperation,
  bodyKey,
  bodyOperation,
  candidateHash,
  candidateHeight,
  candidateKey,
  candidatesUpTo,
  firstHeightKey,
  heightKey,
  includedIdsKey,
  includedKey,
  keptHeaderKey,
  linkKey,
  numberAtEnd,
  statusKey,
} from './keys.ts';
import { type IncludedIds, includedIdsCodec } from './snapshot-part.ts';
import { readTransaction, type Transaction } from './transaction.ts';

/** Candidates of decided heights deleted with one apply; the rest follows with the next. */
const CANDIDATES_DROPPED_MAX = 256;
const EMPTY = new Uint8Array(0);

/** Blocks and bodies in the store, decided or saved before being decided. */
export class BlockStore {
  readonly #genesis: Genesis;
  readonly #store: Store;
  /** Keys of the candidates that were saved since the start and not dropped yet. */
  #saved: Uint8Array[] = [];
  /** Whether the store may hold candidates from before the start. */
  #mayHoldOlder = true;

  constructor(genesis: Genesis, store: Store) {
    this.#genesis = genesis;
    this.#store = store;
  }

  has(hash: Hash): boolean {
    return this.#store.get(blockKey(hash)) !== undefined;
  }

  /** @throws {LedgerError} code `LEDGER_DAMAGED` */
  block(hash: Hash): Block | undefined {
    const bytes = this.#store.get(blockKey(hash));
    if (bytes === undefined) return undefined;
    const decoded = Block.decode(bytes);
    if (!decoded.ok || toHex(decoded.value.hash) !== toHex(hash)) {
      throw LedgerError.damaged('a stored block is not the one it stands for', { fields: { blockHash: toHex(hash) } });
    }
    return decoded.value;
  }

  /** Hash of the decided block. */
  hashAt(height: number): Hash | undefined {
    return this.#store.get(heightKey(height));
  }

  /** See `Ledger.firstHeight`. */
  get firstHeight(): number {
    const bytes = this.#store.get(firstHeightKey());
    return bytes === undefined ? 1 : numberAtEnd(bytes);
  }

  /** The decided block; undefined also for one that is no longer here. @throws {LedgerError} code `LEDGER_DAMAGED` */
  at(height: number): Block | undefined {
    const hash = this.hashAt(height);
    if (hash === undefined) return undefined;
    const block = this.block(hash);
    if (block === undefined && height >= this.firstHeight)
      throw LedgerError.damaged('a decided block is missing', { fields: { height, blockHash: toHex(hash) } });
    return block;
  }

  /** The decided header, of some blocks that are not here as well. @throws {LedgerError} code `LEDGER_DAMAGED` */
  headerAt(height: number): Header | undefined {
    const block = this.at(height);
    if (block !== undefined) return block.header;
    const bytes = this.#store.get(keptHeaderKey(height));
    if (bytes === undefined) return undefined;
    const decoded = decodeHeader(bytes);
    if (!decoded.ok || decoded.value.height !== height) throw LedgerError.damaged('a kept header does not decode', { fields: { height } });
    return decoded.value;
  }

  /** See `Ledger.includedIds`. @throws {LedgerError} code `LEDGER_DAMAGED` */
  includedIds(height: number): { readonly timeMs: number; readonly encoded: IncludedIds } | undefined {
    const bytes = this.#store.get(includedIdsKey(height));
    if (bytes === undefined) return undefined;
    const decoded = includedIdsCodec.decode(bytes);
    const header = decoded.ok ? decodeHeader(decoded.value.header) : decoded;
    if (!decoded.ok || !header.ok || header.value.height !== height)
      throw LedgerError.damaged('the ids of a block do not decode', { fields: { height } });
    return { timeMs: header.value.timeMs, encoded: decoded.value };
  }

  /** Whether a block holds the transaction, be the block here or not. */
  isIncluded(txId: Hash): boolean {
    return this.#store.get(statusKey(txId)) !== undefined || this.#store.get(includedKey(txId)) !== undefined;
  }

  /** See `Ledger.linkCertificate`. @throws {LedgerError} code `LEDGER_DAMAGED` */
  link(height: number): Certificate | undefined {
    const bytes = this.#store.get(linkKey(height));
    if (bytes === undefined) return undefined;
    const decoded = decodeCertificate(bytes);
    if (!decoded.ok) throw LedgerError.damaged('the certificate of a change of committees does not decode', { fields: { height } });
    return decoded.value;
  }

  /** Keeps what shows for good that a committee has handed over to the next. */
  linkOperation(committee: Committee, certificate: Certificate): StoreOperation {
    return { type: 'put', key: linkKey(certificate.height), value: encodeCertificate(minimalCertificate(committee, certificate)) };
  }

  body(bodyHash: Hash): Uint8Array | undefined {
    return this.#store.get(bodyKey(bodyHash));
  }

  /** A transaction that a stored block lists. @throws {LedgerError} code `LEDGER_DAMAGED` */
  transaction(bodyHash: Hash): Transaction {
    const bytes = this.body(bodyHash);
    const decoded = bytes === undefined ? undefined : readTransaction(bytes, this.#genesis);
    if (decoded?.ok && toHex(decoded.value.bodyHash) === toHex(bodyHash)) return decoded.value;
    throw LedgerError.damaged('the body of a stored block is missing or is another one', { fields: { bodyHash: toHex(bodyHash) } });
  }

  /** What storing a block before its height is decided writes: the block, and the bodies that are not here yet. */
  saveOperations(block: Block, transactions: readonly Transaction[], isStored: (bodyHash: Hash) => boolean): StoreOperation[] {
    const candidate = candidateKey(block.header.height, block.hash);
    this.#saved.push(candidate);
    return [...putOperations(block, transactions, isStored), { type: 'put', key: candidate, value: EMPTY }];
  }

  /** What makes a block the decided one of its height. Candidates of the height that lost are dropped. */
  async decideOperations(block: Block, transactions: readonly Transaction[]): Promise<StoreOperation[]> {
    const { height } = block.header;
    const isStored = (bodyHash: Hash) => this.body(bodyHash) !== undefined;
    const operations = this.has(block.hash) ? [] : putOperations(block, transactions, isStored);
    operations.push({ type: 'put', key: heightKey(height), value: block.hash });
    for (const key of await this.#candidatesUpTo(height)) {
      operations.push({ type: 'delete', key });
      // A candidate may have been saved after its own height was decided, and may then be the one that won it.
      const at = candidateHeight(key);
      const won = at === height ? block.hash : this.hashAt(at);
      const hash = candidateHash(key);
      if (won === undefined || !bytesEqual(hash, won)) operations.push({ type: 'delete', key: blockKey(hash) });
    }
    return operations;
  }

  /** The store is asked once: a scan costs a thread's turn, and passes over what was deleted at every height before. */
  async #candidatesUpTo(height: number): Promise<readonly Uint8Array[]> {
    const due = this.#saved.filter((key) => candidateHeight(key) <= height);
    // Those of this very height are dropped once more by the next: one of them may still be on its way to the store.
    this.#saved = this.#saved.filter((key) => candidateHeight(key) >= height);
    if (!this.#mayHoldOlder) return due;
    const older = await this.#store.scan({ ...candidatesUpTo(height), limit: CANDIDATES_DROPPED_MAX });
    this.#mayHoldOlder = older.length === CANDIDATES_DROPPED_MAX;
    return [...due, ...older.map(({ key }) => key)];
  }
}

function putOperations(block: Block, transactions: readonly Transaction[], isStored: (bodyHash: Hash) => boolean): StoreOperation[] {
  const operations: StoreOperation[] = [blockOperation(block)];
  for (const transaction of transactions) if (!isStored(transaction.bodyHash)) operations.push(bodyOperation(transaction));
  return operations;
}
