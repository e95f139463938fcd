import type { Multiaddr } from '@multiformats/multiaddr';
import { type Address, bytesEqual, type Clock, fromUtf8, type Hash, type Signer, toHex, utf8, type Verifier } from '@nacre/base';
import { formatAddress } from '@nacre/crypto';
import {
  ADDRESS_RECORD_CONTEXT,
  ADDRESSES_PER_VALIDATOR_MAX,
  type AddressRecord,
  addressRecordMessage,
  MULTIADDR_BYTES_MAX,
} from './address-record.ts';
import { isLoopback, isPeerId, readTcpAddress } from './multiaddrs.ts';

interface AddressBookOptions {
  readonly genesisHash: Hash;
  readonly identity: { readonly address: Address; readonly signer: Signer } | null;
  readonly validatorKey: (address: Address) => Uint8Array | undefined;
  readonly verifier: Verifier;
  readonly clock: Clock;
}

/** A validator and where it says it is. */
export interface ValidatorPlace {
  /** In text form. */
  readonly validator: string;
  readonly peerId: string;
  readonly multiaddrs: readonly Multiaddr[];
}

interface Entry {
  readonly record: AddressRecord;
  /** That signed the record. With another one, nobody else believes it any more. */
  readonly publicKey: Uint8Array;
  readonly place: ValidatorPlace;
}

/**
 * Where the validators of the committee are, by their own signed word: one record each, the latest, so it is never larger
 * than the committee. A record of anyone else is not kept, so nobody can make this node dial what no validator has named.
 */
export class AddressBook {
  readonly #options: AddressBookOptions;
  readonly #entries = new Map<string, Entry>();
  #own: { readonly record: AddressRecord; readonly publicKey: Uint8Array | undefined } | null = null;

  constructor(options: AddressBookOptions) {
    this.#options = options;
  }

  /** Signs where this node can be reached, for others to pass on. A node that is no validator has nothing to say. */
  async announce(peerId: string, multiaddrs: readonly Multiaddr[]): Promise<void> {
    const { identity, genesisHash, clock } = this.#options;
    const reachable = multiaddrs.map((address) => readTcpAddress(address.toString())?.multiaddr).filter((address) => address !== undefined);
    // On another machine a loopback address leads to whoever listens there.
    const abroad = reachable.filter((address) => !isLoopback(address));
    const told = (abroad.length > 0 ? abroad : reachable).map(({ bytes }) => bytes);
    const usable = told.filter((bytes) => bytes.length <= MULTIADDR_BYTES_MAX).slice(0, ADDRESSES_PER_VALIDATOR_MAX);
    if (identity === null || usable.length === 0) return;
    const unsigned = { address: identity.address, peerId: utf8(peerId), multiaddrs: usable, madeAtMs: clock.nowMs() };
    const publicKey = this.#options.validatorKey(identity.address);
    const signature = await identity.signer.sign(addressRecordMessage(genesisHash, unsigned), ADDRESS_RECORD_CONTEXT);
    this.#own = { record: { ...unsigned, signature }, publicKey };
  }

  /** Whether this node's own record is signed with a key that is not its validator's any more, or was not yet. */
  get isOutdated(): boolean {
    return this.#own !== null && !this.#isSignedWith(this.#own.record.address, this.#own.publicKey);
  }

  /** What this node passes on: its own record and those of the others in the committee. */
  records(): AddressRecord[] {
    this.#forgetOthers();
    const own = this.#own !== null && this.#own.publicKey !== undefined && !this.isOutdated ? [this.#own.record] : [];
    return [...own, ...[...this.#entries.values()].map(({ record }) => record)];
  }

  places(): ValidatorPlace[] {
    this.#forgetOthers();
    return [...this.#entries.values()].map(({ place }) => place);
  }

  /** @returns how many records told something new, and whether one was forged or senseless, which no honest peer passes on */
  async learn(records: readonly AddressRecord[]): Promise<{ readonly learned: number; readonly forged: boolean }> {
    const { identity, validatorKey, verifier, genesisHash } = this.#options;
    let learned = 0;
    for (const record of records) {
      const name = toHex(record.address);
      const publicKey = validatorKey(record.address);
      if (publicKey === undefined || (identity !== null && name === toHex(identity.address)) || !this.#isNewer(name, record)) continue;
      const { signature } = record;
      const message = addressRecordMessage(genesisHash, record);
      const valid = await verifier.verify({ publicKey, message, context: ADDRESS_RECORD_CONTEXT, signature });
      const place = valid ? placeOf(record) : undefined;
      if (place === undefined) return { learned, forged: true };
      if (!this.#isNewer(name, record)) continue;
      this.#entries.set(name, { record, place, publicKey });
      learned++;
    }
    return { learned, forged: false };
  }

  #isNewer(name: string, record: AddressRecord): boolean {
    const known = this.#entries.get(name);
    return known === undefined || known.record.madeAtMs < record.madeAtMs;
  }

  #forgetOthers(): void {
    for (const [name, { record, publicKey }] of this.#entries) {
      if (!this.#isSignedWith(record.address, publicKey)) this.#entries.delete(name);
    }
  }

  #isSignedWith(address: Address, publicKey: Uint8Array | undefined): boolean {
    const keyNow = this.#options.validatorKey(address);
    return keyNow === undefined || publicKey === undefined ? keyNow === publicKey : bytesEqual(keyNow, publicKey);
  }
}

function placeOf(record: AddressRecord): ValidatorPlace | undefined {
  const peerId = fromUtf8(record.peerId);
  const addresses = record.multiaddrs.map((bytes) => readTcpAddress(bytes));
  if (peerId === undefined || !isPeerId(peerId) || addresses.length === 0) return undefined;
  const multiaddrs: Multiaddr[] = [];
  for (const address of addresses) {
    if (address === undefined || address.peerId !== null) return undefined;
    multiaddrs.push(address.multiaddr);
  }
  return { validator: formatAddress(record.address), peerId, multiaddrs };
}
