import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { certificateFrom, VOTE_CONTEXT, voteMessage } from '@nacre/consensus';
import { createSigner, createVerifier } from '@nacre/crypto/native';
import { buildTransaction, createGenesis, formatGenesis, type Genesis, Ledger } from '@nacre/ledger';
import { LevelStore } from '@nacre/ledger/level';
import { beforeEach, expect, test } from 'vitest';
import { EXIT } from '../src/cli/exit-status.ts';
import { runCli } from '../src/cli/program.ts';
import { createHome, newKey } from '../src/home.ts';
import { STORE_FORMAT_VERSION } from '../src/store-format.ts';
import { capturedIo } from './support/captured-io.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const SCHEME = 'ml-dsa-44';
const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const validator = newKey(SCHEME);
const signer = createSigner(SCHEME, validator.seed);

let root: string;
let genesis: Genesis;
let source: string;
let file: string;

beforeEach(async () => {
  root = await temporaryDirectory();
  const validators = [{ publicKey: validator.publicKey, weight: 1 }];
  genesis = createGenesis({ network: 'one', timeMs: Date.now() - 60_000, scheme: SCHEME, validators, allowLargeWeights: true });
  source = await home('source');
  await grow(source);
  file = join(root, 'state.snapshot');
});

function home(name: string, of = genesis): Promise<string> {
  const directory = join(root, name);
  const options = { scheme: SCHEME, genesisText: formatGenesis(of), configuration: {}, validator: null, service: newKey(SCHEME) } as const;
  return createHome({ directory, ...options }).then(() => directory);
}

async function withLedger<Result>(directory: string, use: (ledger: Ledger) => Promise<Result>): Promise<Result> {
  const store = await LevelStore.open(join(directory, 'store'), { formatVersion: STORE_FORMAT_VERSION, genesisHash: genesis.hash });
  try {
    return await use(await Ledger.open({ genesis, store, verifier: createVerifier(SCHEME), log }));
  } finally {
    await store.close();
  }
}

const MAGIC_BYTES = 'nacre snapshot 1\n'.length;

/** The frames of a snapshot's file: name and content. */
function framesOf(bytes: Buffer): { name: string; content: Buffer }[] {
  const frames: { name: string; content: Buffer }[] = [];
  for (let at = MAGIC_BYTES; at < bytes.length; ) {
    const [nameBytes, length] = [bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2)];
    const name = at + 6;
    frames.push({
      name: bytes.toString('utf8', name, name + nameBytes),
      content: bytes.subarray(name + nameBytes, name + nameBytes + length),
    });
    at = name + nameBytes + length + 4;
  }
  return frames;
}

/** A file as somebody makes it who has the format right. */
function fileOf(bytes: Buffer, frames: readonly { name: string; content: Buffer }[]): Buffer {
  const encoded = frames.flatMap(({ name, content }) => {
    const head = Buffer.alloc(6);
    head.writeUInt16BE(name.length, 0);
    head.writeUInt32BE(content.length, 2);
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32BE(crc32(content, crc32(name)));
    return [head, Buffer.from(name), content, checksum];
  });
  return Buffer.concat([bytes.subarray(0, MAGIC_BYTES), ...encoded]);
}

/** Decides three blocks, the only validator alone. */
function grow(directory: string): Promise<number> {
  return withLedger(directory, async (ledger) => {
    for (let i = 0; i < 3; i++) {
      const timeMs = ledger.tip.timeMs + 1000;
      const account = { genesis, account: validator.address, signer, validUntilMs: timeMs + 60_000 };
      const publicKey = newKey(SCHEME).publicKey;
      const transaction = await buildTransaction({
        ...account,
        nonce: newKey(SCHEME).seed.slice(16),
        operations: [{ kind: 'account.create', publicKey }],
      });
      const parentCertificate = ledger.tip.certificate;
      const candidate = ledger.propose({
        proposer: validator.address,
        timeMs,
        candidates: [transaction],
        parentCertificate,
        lateCommits: [],
      });
      const content = { height: candidate.block.header.height, round: 0, kind: 'commit', blockHash: candidate.blockHash } as const;
      const signature = await signer.sign(voteMessage(genesis.context, content), VOTE_CONTEXT);
      await ledger.apply(candidate, certificateFrom([{ ...content, validator: 0, signature }]));
    }
    return ledger.tip.height;
  });
}

async function run(...args: string[]) {
  const io = capturedIo();
  const status = await runCli(['--json', ...args], io);
  const text = status === EXIT.done ? io.out() : io.err();
  return { status, printed: JSON.parse(text) as { height?: number; error?: { code: string } } };
}

// @mutation packages/node/src/snapshot-file.ts
// - await ledger.adopt(() => snapshots.adopt(intake));
// +
test('an empty node takes up what another one has saved, and goes on from there', async () => {
  expect(await run('snapshot', 'save', file, '--home', source)).toMatchObject({ status: EXIT.done, printed: { height: 3 } });
  const target = await home('target');
  expect(await run('snapshot', 'restore', file, '--home', target)).toMatchObject({ status: EXIT.done, printed: { height: 3 } });
  expect(await grow(target)).toBe(6);
  expect(await run('check', '--home', target)).toMatchObject({ status: EXIT.done });
  expect(await run('snapshot', 'restore', file, '--home', target)).toMatchObject({
    status: EXIT.refused,
    printed: { error: { code: 'SNAPSHOT_OLD' } },
  });
  // Whoever began with a snapshot can save one.
  const second = join(root, 'second.snapshot');
  expect(await run('snapshot', 'save', second, '--home', target)).toMatchObject({ printed: { height: 6 } });
  expect(await run('snapshot', 'restore', second, '--home', await home('third'))).toMatchObject({ printed: { height: 6 } });
});

// @mutation packages/node/src/snapshot-file.ts
// - if (!bytesEqual(magic, MAGIC)) throw
// + if (false) throw
test('a file that is spoilt, cut short or of another network is refused, and the node stays where it was', async () => {
  await run('snapshot', 'save', file, '--home', source);
  const bytes = await readFile(file);
  const target = await home('spoilt');
  const bad = join(root, 'bad.snapshot');
  const refused = { status: EXIT.invalid, printed: { error: { code: 'SNAPSHOT_INVALID' } } };
  for (const at of [0, 20, Math.floor(bytes.length / 3), Math.floor(bytes.length / 2), bytes.length - 1]) {
    await writeFile(
      bad,
      bytes.map((byte, i) => (i === at ? byte ^ 1 : byte)),
    );
    expect(await run('snapshot', 'restore', bad, '--home', target), `flipped at ${at}`).toMatchObject(refused);
  }
  for (const length of [0, 5, 40, Math.floor(bytes.length / 2), bytes.length - 3]) {
    await writeFile(bad, bytes.subarray(0, length));
    expect(await run('snapshot', 'restore', bad, '--home', target), `cut at ${length}`).toMatchObject(refused);
  }
  const frames = framesOf(bytes);
  expect(fileOf(bytes, frames).equals(bytes)).toBe(true);
  for (const { name } of frames.slice(1)) {
    const lied = frames.map((frame) =>
      frame.name === name ? { name, content: frame.content.map((byte, i) => (i === 9 ? byte ^ 1 : byte)) } : frame,
    );
    await writeFile(bad, fileOf(bytes, lied as typeof frames));
    expect(await run('snapshot', 'restore', bad, '--home', target), `a lie in ${name}`).toMatchObject(refused);
    await writeFile(
      bad,
      fileOf(
        bytes,
        frames.filter((frame) => frame.name !== name),
      ),
    );
    expect(await run('snapshot', 'restore', bad, '--home', target), `without ${name}`).toMatchObject(refused);
  }
  const validators = [{ publicKey: newKey(SCHEME).publicKey, weight: 1 }];
  const other = createGenesis({ network: 'other', timeMs: genesis.timeMs, scheme: SCHEME, validators, allowLargeWeights: true });
  expect(await run('snapshot', 'restore', file, '--home', await home('foreign', other))).toMatchObject(refused);
  expect(await withLedger(target, async (ledger) => ledger.tip.height)).toBe(0);
});

test('a node that has decided nothing has nothing to save', async () => {
  const printed = { error: { code: 'SNAPSHOT_NONE' } };
  expect(await run('snapshot', 'save', file, '--home', await home('new'))).toMatchObject({ status: EXIT.refused, printed });
  expect(await run('snapshot', 'restore', join(root, 'nowhere'), '--home', source)).toMatchObject({ status: EXIT.configuration });
});
