import { randomBytes } from 'node:crypto';
import { type Address, type Clock, type Log, type LogFields, type Peer, type Random, type Refusal, toHex } from '@nacre/base';
import { addressOf, formatAddress } from '@nacre/crypto';
import { createSigner, createVerifier } from '@nacre/crypto/native';
import { Libp2pTransport, type Libp2pTransportOptions, type NetworkLimits } from '@nacre/network';

const SCHEME = 'ml-dsa-44';

export const verifier = createVerifier(SCHEME);

export const random: Random = { bytes: (length) => new Uint8Array(randomBytes(length)) };

const realClock: Clock = {
  nowMs: () => Date.now(),
  schedule(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Waits short enough for a test, long enough for a loaded machine. */
const QUICK: Partial<NetworkLimits> = {
  redialFirstMs: 50,
  redialLastMs: 400,
  addressesIntervalMs: 200,
};

export interface Validator {
  readonly address: Address;
  readonly name: string;
  readonly signer: ReturnType<typeof createSigner>;
}

export function makeValidator(): Validator {
  const signer = createSigner(SCHEME, random.bytes(32));
  const address = addressOf(SCHEME, signer.publicKey);
  return { address, name: formatAddress(address), signer };
}

/** A committee whose membership a test may change. */
export class Committee {
  readonly #keys = new Map<string, Uint8Array>();
  readonly genesisHash = random.bytes(32);

  constructor(...validators: readonly Validator[]) {
    for (const validator of validators) this.add(validator);
  }

  add({ address, signer }: Validator): void {
    this.#keys.set(toHex(address), signer.publicKey);
  }

  remove({ address }: Validator): void {
    this.#keys.delete(toHex(address));
  }

  readonly keyOf = (address: Address): Uint8Array | undefined => this.#keys.get(toHex(address));
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: LogFields;
  readonly event: string;
}

/** One transport and what it has been told. */
export class TestNode {
  readonly transport: Libp2pTransport;
  readonly frames: { readonly peer: Peer; readonly frame: Uint8Array }[] = [];
  readonly log: LogLine[];
  readonly connections: { readonly kind: 'connected' | 'disconnected'; readonly peer: Peer }[] = [];
  /** Answers requests; a test may replace it. */
  answer: (peer: Peer, question: Uint8Array) => Promise<Uint8Array | undefined> = async (_, question) => question;
  onConnected: (peer: Peer) => void = () => undefined;

  constructor(transport: Libp2pTransport, log: LogLine[]) {
    this.transport = transport;
    this.log = log;
  }

  start(): void {
    this.transport.start({
      connected: (peer) => {
        this.connections.push({ kind: 'connected', peer });
        this.onConnected(peer);
      },
      disconnected: (peer) => this.connections.push({ kind: 'disconnected', peer }),
      message: (peer, frame) => this.frames.push({ peer, frame }),
      request: (peer, question) => this.answer(peer, question),
    });
  }

  get address(): string {
    return this.transport.multiaddrs()[0] as string;
  }

  /** The same without the peer id. */
  get bareAddress(): string {
    return this.address.replace(/\/p2p\/.*/, '');
  }

  peer(other: TestNode): Peer {
    const peer = this.transport.peers().find(({ id }) => id.startsWith(other.transport.peerId));
    if (peer === undefined) throw new Error('not connected');
    return peer;
  }

  knows(other: TestNode): boolean {
    return this.transport.peers().some(({ id }) => id.startsWith(other.transport.peerId));
  }

  events(event: string): LogFields[] {
    return this.log.filter((line) => line.event === event).map(({ fields }) => fields);
  }
}

export type NodeOptions = Partial<Libp2pTransportOptions> & {
  readonly validator?: Validator;
  /** The machine's own unless given. */
  readonly clock?: Clock;
};

/** The nodes of one test; every one of them is stopped at its end. */
export class TestNetwork {
  readonly #nodes = new Set<TestNode>();
  readonly committee: Committee;

  constructor(committee: Committee) {
    this.committee = committee;
  }

  /** Makes a node on a free port and starts it. */
  async node(options: NodeOptions = {}): Promise<TestNode> {
    const node = await this.idle(options);
    node.start();
    return node;
  }

  /** Makes a node that listens and has not been started. */
  async idle({ validator, limits, clock = realClock, ...options }: NodeOptions = {}): Promise<TestNode> {
    const lines: LogLine[] = [];
    const at = (level: LogLine['level']) => (fields: LogFields, event: string) => lines.push({ level, fields, event });
    const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
    const transport = await Libp2pTransport.create(
      {
        genesisHash: this.committee.genesisHash,
        protocolVersion: 1,
        peerKey: random.bytes(32),
        identity: validator === undefined ? null : { address: validator.address, signer: validator.signer },
        validatorKey: this.committee.keyOf,
        listen: ['/ip4/127.0.0.1/tcp/0'],
        bootstrap: [],
        security: 'tls',
        limits: { ...QUICK, ...limits },
        ...options,
      },
      { verifier, log, random, clock },
    );
    const node = new TestNode(transport, lines);
    this.#nodes.add(node);
    return node;
  }

  async stop(node: TestNode): Promise<void> {
    this.#nodes.delete(node);
    await node.transport.stop();
  }

  async stopAll(): Promise<void> {
    const nodes = [...this.#nodes];
    this.#nodes.clear();
    await Promise.all(nodes.map((node) => node.transport.stop()));
  }
}

/** Waits until something holds; the test's own timeout is the bound. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(5);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Whether two nodes have admitted one another. */
export function connected(a: TestNode, b: TestNode): boolean {
  return a.knows(b) && b.knows(a);
}

export function refusals(node: TestNode): Readonly<Record<string, number>> {
  return node.transport.counters().refused;
}

export function codeOf(result: { readonly ok: boolean; readonly error?: Refusal }): string | null {
  return result.error?.code ?? null;
}
