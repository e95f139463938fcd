import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Address, toHex } from '@nacre/base';
import { formatAddress } from '@nacre/crypto';
import { VoteJournal } from '@nacre/ledger';
import { FileDirectory } from '@nacre/ledger/level';
import { restoreOwnMessages } from '@nacre/replica';
import { callRpc } from '../../src/cli/rpc-client.ts';
import type { ConfigurationFile } from '../../src/configuration-schema.ts';
import { createHome, homePaths, newKey, openHome } from '../../src/home.ts';
import { createTestnet, type TestnetNode } from '../../src/new-testnet.ts';
import { writePeerKey } from '../../src/peer-key.ts';
import { systemRandom } from '../../src/system-ports.ts';
import { freeBasePort } from './free-base-port.ts';
import { LossyDisk } from './lossy-disk.ts';
import { PROGRAMS, until } from './running-testnet.ts';

/** Names of the processes: the signer of validator 0, its node, a second node on the same signer, and the other validators. */
export type Part = 'signer' | 'node0' | 'twin' | 'node1' | 'node2' | 'node3';

/** Several processes start at once, on a machine that may do much else. */
const READY_MS_MAX = 170_000;
/** Copies of a journal that is in use, until one can be read, and what lies between two, in ms. */
const COPIES_MAX = 10;
const COPY_PAUSE_MS = 100;

interface Life {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
  output: string;
}

/** Four validators as processes, each started and killed on its own. Of the first, everything is watched that it ever says. */
export class WatchedTestnet {
  readonly directory: string;
  readonly #nodes: readonly TestnetNode[];
  readonly #lives = new Map<Part, Life>();
  readonly #address: Address;
  readonly #twinPort: number;
  /** What was said at each place, over all journals that ever were. */
  readonly #said = new Map<string, string>();
  readonly #ending = new AbortController();
  readonly #loads: Promise<void>[] = [];

  private constructor(
    directory: string,
    { nodes, address, twinPort }: { nodes: readonly TestnetNode[]; address: Address; twinPort: number },
  ) {
    this.directory = directory;
    this.#nodes = nodes;
    this.#address = address;
    this.#twinPort = twinPort;
  }

  /** Makes the homes of four validators, each with its key. */
  static async prepare(): Promise<WatchedTestnet> {
    const directory = await mkdtemp(join(tmpdir(), 'nacre-watched-'));
    const basePort = await freeBasePort();
    const { nodes, genesis } = await createTestnet({ directory: join(directory, 'net'), nodes: 4, basePort }, Date.now());
    const address = genesis.validators.find(({ name }) => name === 'node0')?.address as Address;
    return new WatchedTestnet(directory, { nodes, address, twinPort: basePort + nodes.length });
  }

  /** Gives the key of validator 0 to a signer, which gets its home; its node and a second one get homes without a key. */
  async moveKeyToSigner(): Promise<void> {
    await rename(this.home('node0'), this.home('signer'));
    const paths = homePaths(this.home('signer'));
    const { genesis, validator } = await openHome(paths, { genesisPath: 'genesis.json', passphrase: undefined });
    if (validator === null) throw new Error('validator 0 has a key');
    const configuration = { ...(await this.#configurationOf('signer')), signer: { socket: this.socket } };
    for (const [part, own] of [['node0', configuration] as const, ['twin', this.#onTwinPorts(configuration)] as const]) {
      await createHome({
        directory: this.home(part),
        scheme: genesis.scheme,
        genesisText: await readFile(paths.genesis, 'utf8'),
        configuration: own,
        validator: { ...validator, seed: null },
        service: newKey(genesis.scheme),
      });
    }
  }

  /**
   * Makes the home of a twin: a copy of validator 0's as it is, on ports of its own.
   *
   * @param asOtherPeer with another peer key: as the same peer, it is refused by whoever is connected to the first
   */
  async copyToTwin({ asOtherPeer }: { readonly asOtherPeer: boolean }): Promise<void> {
    const paths = homePaths(this.home('twin'));
    await rm(paths.directory, { recursive: true, force: true });
    await cp(this.home('node0'), paths.directory, { recursive: true, filter: (path) => !path.endsWith('.sock') });
    await writeFile(paths.configuration, JSON.stringify(this.#onTwinPorts(await this.#configurationOf('node0'))));
    if (!asOtherPeer) return;
    await rm(paths.peerKey);
    await writePeerKey(paths.peerKey);
  }

  /** The home of the twin becomes that of the node, which stays on its ports. */
  async putTwinInPlace(): Promise<void> {
    const configuration = await readFile(homePaths(this.home('node0')).configuration);
    await rm(this.home('node0'), { recursive: true });
    await rename(this.home('twin'), this.home('node0'));
    await writeFile(homePaths(this.home('node0')).configuration, configuration);
  }

  async #configurationOf(part: Part): Promise<ConfigurationFile> {
    return JSON.parse(await readFile(homePaths(this.home(part)).configuration, 'utf8')) as ConfigurationFile;
  }

  #onTwinPorts(configuration: ConfigurationFile): ConfigurationFile {
    const listen = [`/ip4/127.0.0.1/tcp/${this.#twinPort + 1_000}`];
    return { ...configuration, listen, rpc: { ...configuration.rpc, port: this.#twinPort } };
  }

  get socket(): string {
    return join(this.directory, 's.sock');
  }

  home(part: Part): string {
    if (part === 'signer' || part === 'twin') return join(this.directory, part);
    return (this.#nodes[Number(part.slice(4))] as TestnetNode).home;
  }

  start(...parts: Part[]): void {
    for (const part of parts) {
      const home = ['--home', this.home(part)];
      const args = part === 'signer' ? ['signer', ...home, '--socket', this.socket] : ['start', ...home];
      const child = spawn(process.execPath, [PROGRAMS.nacre, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
      const life: Life = { child, exited: once(child, 'exit'), output: '' };
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk: Buffer) => {
          life.output += String(chunk);
        });
      }
      this.#lives.set(part, life);
    }
  }

  /** `kill -9`, of all at one moment; notes what their journals hold. */
  async kill(...parts: Part[]): Promise<void> {
    const lives = parts.map((part) => this.#lives.get(part));
    for (const life of lives) life?.child.kill('SIGKILL');
    for (const life of lives) await life?.exited;
    for (const part of parts) this.#lives.delete(part);
    if (parts.some((part) => ['signer', 'node0', 'twin'].includes(part))) await this.checkStatements();
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT', ...parts: Part[]): void {
    for (const part of parts) this.#lives.get(part)?.child.kill(signal);
  }

  output(part: Part): string {
    return this.#lives.get(part)?.output ?? '';
  }

  call(part: Part, method: string, params: Readonly<Record<string, unknown>> = {}, waitMs = 0) {
    const port = part === 'twin' ? this.#twinPort : (this.#nodes[Number(part.slice(4))] as TestnetNode).rpcPort;
    return callRpc(`http://127.0.0.1:${port}`, method, params, { waitMs });
  }

  /** What a node says of itself; null while its RPC does not answer. */
  async state(part: Part): Promise<{ readonly state: string; readonly reason: string | null; readonly height: number } | null> {
    try {
      const { networkState, chains } = (await this.call(part, 'node_status')) as {
        networkState: { state: string; reason: string | null };
        chains: readonly { height: number }[];
      };
      return { ...networkState, height: chains[0]?.height ?? 0 };
    } catch {
      return null;
    }
  }

  async untilReady(...parts: Part[]): Promise<void> {
    for (const part of parts) await until(`${part} is ready`, async () => (await this.state(part))?.state === 'NORMAL', READY_MS_MAX);
  }

  /** Waits until a block above the present one is certified by validator 0, too. */
  async untilCommits(part: Part): Promise<void> {
    const own = formatAddress(this.#address);
    const from = (await this.state(part))?.height ?? 0;
    await until('validator 0 commits', async () => {
      const { certificate, header } = (await this.call(part, 'block_get', { chain: 0, height: 'latest' })) as {
        certificate: { commits: readonly { validator: string }[] } | null;
        header: { height: number };
      };
      if (header.height > from && certificate?.commits.some(({ validator }) => validator === own)) return true;
      await this.call(part, 'record_submit', { service: 'notes', payload: header.height, wait: 'admitted' }).catch(() => undefined);
      return false;
    });
  }

  /** From now until the end, each of these nodes is given one record after the other, and so there are always blocks to be decided. */
  load(...parts: Part[]): void {
    for (const part of parts) this.#loads.push(this.#loadOne(part));
  }

  async #loadOne(part: Part): Promise<void> {
    for (let n = 0; !this.#ending.signal.aborted; n++) {
      const params = { service: `load/${part}`, payload: n, wait: 'committed', timeoutMs: 2_000 };
      await this.call(part, 'record_submit', params, 2_000).catch(() => sleep(100));
    }
  }

  /** Waits until validator 0 has said something at the height that nobody can decide while others are frozen. */
  untilSpokenAtUndecidedHeight(): Promise<void> {
    return until('validator 0 has spoken at the height that is not decided', async () => {
      await this.checkStatements();
      const undecided = ((await this.state('node0'))?.height ?? 0) + 1;
      return [...this.#said.keys()].some((place) => place.startsWith(`${undecided}/`));
    });
  }

  copyHome(part: Part, to: string): Promise<void> {
    return cp(this.home(part), join(this.directory, to), { recursive: true, filter: (path) => !path.endsWith('.sock') });
  }

  async restoreHome(part: Part, from: string): Promise<void> {
    await rm(this.home(part), { recursive: true });
    await cp(join(this.directory, from), this.home(part), { recursive: true });
  }

  /**
   * Reads what the journals of signer and nodes hold.
   *
   * @throws if two of them, or one of them and an earlier one, say two things at one place
   */
  async checkStatements(): Promise<void> {
    for (const part of ['signer', 'node0', 'twin'] as const) {
      if (!existsSync(homePaths(this.home(part)).journal)) continue;
      for (const [place, content] of await this.#statementsOf(part)) {
        const before = this.#said.get(place);
        if (before !== undefined && before !== content) throw new Error(`two statements at ${place}: ${before} and ${content} (${part})`);
        this.#said.set(place, content);
      }
    }
  }

  get statements(): number {
    return this.#said.size;
  }

  /** What the others have logged of validators that contradict themselves. */
  async equivocations(): Promise<string[]> {
    const found: string[] = [];
    for (const part of ['node1', 'node2', 'node3'] as const) {
      const { logs } = homePaths(this.home(part));
      for (const name of await readdir(logs)) {
        if (!name.endsWith('.log') || name === 'current.log') continue;
        const lines = (await readFile(join(logs, name), 'utf8')).split('\n');
        found.push(...lines.filter((line) => line.includes('equivocation')));
      }
    }
    return found;
  }

  async remove(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#loads);
    for (const { child } of this.#lives.values()) child.kill('SIGKILL');
    for (const { exited } of this.#lives.values()) await exited;
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Its process may put a file in the place of another while both are copied; what is wrong for good is wrong again. */
  async #statementsOf(part: Part): Promise<Map<string, string>> {
    for (let copies = 1; ; copies++) {
      try {
        return await this.#statementsOfCopy(part);
      } catch (error) {
        if (copies === COPIES_MAX) throw error;
        await sleep(COPY_PAUSE_MS);
      }
    }
  }

  /** Of a copy, because whoever opens a journal writes it anew. */
  async #statementsOfCopy(part: Part): Promise<Map<string, string>> {
    const copy = join(this.directory, 'journal-copy');
    await rm(copy, { recursive: true, force: true });
    await cp(homePaths(this.home(part)).journal, copy, { recursive: true });
    const directory = new FileDirectory(copy);
    const journal = await VoteJournal.open({ validator: this.#address }, { directory, store: new LossyDisk().store, random: systemRandom });
    await directory.close();
    // A home that was behind another process with its key: what it had said before was read when that process was killed.
    if (journal.doubt?.code === 'VOTE_UNKNOWN') return new Map();
    if (journal.doubt !== null) throw new Error(`the journal of ${part} is in doubt: ${JSON.stringify(journal.doubt)}`);
    const said = new Map<string, string>();
    for (const height of new Set(journal.entriesAbove(0).map((entry) => entry.height))) {
      const { votes, proposals } = restoreOwnMessages(journal, height);
      for (const { round, kind, blockHash } of votes)
        said.set(`${height}/${round}/${kind}`, blockHash === null ? 'none' : toHex(blockHash));
      for (const { round, validRound, blockHash } of proposals)
        said.set(`${height}/${round}/proposal`, `${validRound} ${toHex(blockHash)}`);
    }
    return said;
  }
}
