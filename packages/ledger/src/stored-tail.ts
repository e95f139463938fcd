import { bytesEqual, type Hash, NacreError, type Store, type Verifier } from '@nacre/base';
import { type Committee, verifyCertificate } from '@nacre/consensus';
import { logRootAt, proveKey, type TileReader } from '@nacre/crypto';
import type { Block } from './block.ts';
import type { BlockStore } from './block-store.ts';
import { CommittedState } from './committed-state.ts';
import { EpochBook } from './epoch-book.ts';
import type { EpochInfo } from './epoch-info.ts';
import { LedgerError } from './errors.ts';
import type { Genesis } from './genesis.ts';
import { blockHash, type Header } from './header.ts';
import { historyTileKey, statusKey, tipKey } from './keys.ts';
import { readState } from './overlay.ts';
import { COMMITTEE, EPOCH, PARAMETERS, REGISTRY } from './set-kinds.ts';
import { PARTICIPATION, RECORD_LOG, type StateKind, stateValueHash } from './state-kinds.ts';
import { includedStatusCodec } from './status.ts';
import { type StoredTip, storedTipCodec } from './tip.ts';

export interface Tail {
  readonly genesis: Genesis;
  readonly store: Store;
  readonly blocks: BlockStore;
  readonly verifier: Verifier;
}

/** @returns the stored tip, or undefined if the store is new */
export function readTip(store: Store): StoredTip | undefined {
  const bytes = store.get(tipKey());
  if (bytes === undefined) return undefined;
  const decoded = storedTipCodec.decode(bytes);
  if (!decoded.ok) throw LedgerError.damaged('the tip does not decode', { fields: { refusal: decoded.error } });
  return decoded.value;
}

export function historyTiles(store: Store): TileReader {
  return (level, index) => store.get(historyTileKey(level, index));
}

/**
 * Checks that what the store says last fits together: block, bodies, certificate, state root, history, and the record logs that the last block
 * touched. The rest was checked when it was written; a background scrub rereads it.
 *
 * @throws {LedgerError} codes `LEDGER_DAMAGED`, `LEDGER_FOREIGN`
 */
export async function verifyTail(tip: StoredTip, tail: Tail): Promise<Header | null> {
  const { genesis, blocks, store } = tail;
  try {
    const isBase = tip.height > 0 && tip.height < blocks.firstHeight;
    const block = tip.height === 0 || isBase ? null : tipBlock(tip, blocks);
    const header = isBase ? baseHeader(tip, blocks) : (block?.header ?? null);
    const network = header === null ? tip.blockHash : header.genesisHash;
    if (!bytesEqual(network, genesis.hash)) throw LedgerError.foreign(genesis.hash);
    const state = new CommittedState(store, tip.stateRoot);
    checkValue(state, PARTICIPATION, null);
    checkValue(state, REGISTRY, null);
    checkValue(state, PARAMETERS, null);
    const epochs = new EpochBook(state, genesis);
    checkEpoch(state, epochs.current.info);
    if (header === null) return null;
    require(bytesEqual(header.stateRoot, tip.stateRoot), 'the state is not that of the last block');
    checkHistory(tip, header, store);
    if (block !== null) for (const service of servicesOf(block, tail)) checkLog(state, service);
    const decidedIn = epochs.of(tip.height);
    checkEpoch(state, decidedIn);
    await checkTipCertificate(tip, decidedIn.committee, tail);
    return header;
  } catch (cause) {
    if (cause instanceof LedgerError || !(cause instanceof NacreError)) throw cause;
    throw LedgerError.damaged(cause.message, { cause, fields: cause.fields });
  }
}

function tipBlock(tip: StoredTip, blocks: BlockStore): Block {
  const block = blocks.at(tip.height);
  if (block === undefined || !bytesEqual(block.hash, tip.blockHash) || block.header.height !== tip.height) {
    throw LedgerError.damaged('the last block is missing or is another one', { fields: { height: tip.height } });
  }
  return block;
}

/** Of the block that a snapshot was made after: it is not here itself. */
function baseHeader(tip: StoredTip, blocks: BlockStore): Header {
  const header = blocks.headerAt(tip.height);
  if (header === undefined || !bytesEqual(blockHash(header), tip.blockHash))
    throw LedgerError.damaged('the header of the snapshot is missing or is another one', { fields: { height: tip.height } });
  return header;
}

function checkHistory(tip: StoredTip, header: Header, store: Store): void {
  const readTile = historyTiles(store);
  require(bytesEqual(logRootAt({ size: tip.height - 1, readTile }), header.historyRoot), 'the history is not that of the last block');
  require(bytesEqual(logRootAt({ size: tip.height, readTile }), tip.historyRoot), 'the history does not end in the last block');
}

/** Services that got records in the block: those that its committed transactions name. */
function servicesOf(block: Block, { blocks, store }: Tail): Set<string> {
  const services = new Set<string>();
  for (const [index, bodyHash] of block.bodyHashes.entries()) {
    const { txId, contents } = blocks.transaction(bodyHash);
    const stored = store.get(statusKey(txId));
    const status = stored === undefined ? undefined : includedStatusCodec.decode(stored);
    const fits = status?.ok === true && status.value.height === block.header.height && status.value.index === index;
    require(fits, 'the status of a transaction of the last block is missing or another one');
    if (!status?.ok || status.value.status === 'failed') continue;
    for (const operation of contents.operations) if (operation.kind === 'record.append') services.add(operation.service);
  }
  return services;
}

function checkLog(state: CommittedState, service: string): void {
  checkValue(state, RECORD_LOG, service);
  const log = readState(state.read, RECORD_LOG, service);
  const root = log && logRootAt({ size: log.recordCount, readTile: state.logTiles(service) });
  require(log !== undefined && root !== undefined && bytesEqual(root, log.logRoot), `the records of ${service} are not those of its log`);
}

/** Whether the value stored for an entry is the one in the tree, whose path is checked on the way. */
function checkValue<Identity, Value>(state: CommittedState, kind: StateKind<Identity, Value>, identity: Identity): void {
  const stateKey: Hash = kind.stateKey(identity);
  const bytes = state.read(stateKey);
  const { valueHash } = proveKey(state.pages, state.root, stateKey);
  const fits = bytes !== undefined && valueHash !== null && bytesEqual(stateValueHash(bytes), valueHash);
  require(fits, 'a state value is not the one in the tree');
}

function checkEpoch(state: CommittedState, { epoch, committee }: EpochInfo): void {
  checkValue(state, EPOCH, epoch);
  checkValue(state, COMMITTEE, committee.hash);
}

async function checkTipCertificate(
  { height, blockHash, certificate }: StoredTip,
  committee: Committee,
  { genesis, verifier }: Tail,
): Promise<void> {
  if (certificate === null) return;
  require(certificate.height === height && bytesEqual(certificate.blockHash, blockHash), 'the certificate is not for the last block');
  const verified = await verifyCertificate({ committee, context: genesis.context, certificate, verifier });
  require(verified.ok, 'the certificate of the last block does not hold');
}

function require(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw LedgerError.damaged(otherwise);
}
