import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Log } from '@nacre/base';
import type { BenchmarkSuite } from '@nacre/base/benchmark';
import { encodeVote, VOTE_CONTEXT, voteMessage } from '@nacre/consensus';
import { VoteJournal } from '@nacre/ledger';
import { FileDirectory, LevelStore } from '@nacre/ledger/level';
import { homePaths, openHome } from '../src/home.ts';
import { createTestnet } from '../src/new-testnet.ts';
import { RemoteSigner } from '../src/signer/remote-signer.ts';
import { STORE_FORMAT_VERSION } from '../src/store-format.ts';
import { systemRandom } from '../src/system-ports.ts';

const PROGRAM = join(import.meta.dirname, '..', 'src', 'main.ts');
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };
const BLOCK_HASH = new Uint8Array(32).fill(1);

const suite: BenchmarkSuite = {
  name: 'node: a vote signed here, or in another process',
  async run(bench) {
    const directory = await mkdtemp(join(tmpdir(), 'nacre-bench-'));
    const { genesis, nodes } = await createTestnet({ directory: join(directory, 'net'), nodes: 4 }, Date.now());
    const [here, elsewhere] = nodes.map(({ home }) => homePaths(home)) as [ReturnType<typeof homePaths>, ReturnType<typeof homePaths>];
    const { validator } = await openHome(here, { genesisPath: 'genesis.json', passphrase: undefined });
    if (validator === null) throw new Error('a validator has a key');
    const store = await LevelStore.open(here.store, { formatVersion: STORE_FORMAT_VERSION, genesisHash: genesis.hash });
    const files = new FileDirectory(here.journal);
    const journal = await VoteJournal.open({ validator: validator.address }, { directory: files, store, random: systemRandom });
    const socketPath = join(directory, 's.sock');
    const signer = spawn(process.execPath, [PROGRAM, 'signer', '--home', elsewhere.directory, '--socket', socketPath, '--json']);
    await once(createInterface({ input: signer.stdout }), 'line');
    const remote = await RemoteSigner.connect(
      { socketPath, genesisHash: genesis.hash },
      { log: SILENT, signal: new AbortController().signal },
    );
    let height = 0;
    const next = () => ({ height: ++height, round: 0, kind: 'prepare' as const, blockHash: BLOCK_HASH });
    const unit = 'signature';

    const signed = await bench.measure('signed here', { unit }, () =>
      validator.signer.sign(voteMessage(genesis.context, next()), VOTE_CONTEXT),
    );
    const local = await bench.measure('signed here and journaled', { unit }, async () => {
      const content = next();
      const signature = await validator.signer.sign(voteMessage(genesis.context, content), VOTE_CONTEXT);
      const bytes = encodeVote({ ...content, validator: 0, signature });
      await journal.append({ height: content.height, messages: [{ kind: 'vote', bytes }], lock: null });
      if (journal.needsRotation) await journal.rotate({ keepAbove: content.height - 1 });
    });
    await bench.measure('signed in another process', { unit }, () => remote.sign(BLOCK_HASH, 'nacre/1/admission'));
    const there = await bench.measure('signed and journaled in another process', { unit }, () =>
      remote.sign(voteMessage(genesis.context, next()), VOTE_CONTEXT),
    );
    bench.note(
      `sign and journal: ${Math.round(local)} µs with the key here, ${Math.round(there + local - signed)} µs with a signer, which keeps a journal of its own`,
    );

    remote.close();
    signer.kill('SIGTERM');
    await once(signer, 'exit');
    await files.close();
    await store.close();
    await rm(directory, { recursive: true, force: true });
  },
};

export default suite;
