import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { assert, bytesEqual, concatBytes, fromUtf8, NacreError, type Result, utf8 } from '@nacre/base';
import type { Codec } from '@nacre/consensus';
import type { FuzzTarget } from './fuzzer.ts';
import { rpcBodies } from './rpc-bodies.ts';
import { makeSeeds, type Seeds, textBytes } from './seeds.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const HASH = new Uint8Array(32).fill(3);
const SIGNATURE = new Uint8Array(8).fill(5);
const MANIFEST = { height: 1, links: 1, logs: 1, ids: 1, stateParts: 1, bytes: 1 };

/** What is exported under a decoder's name. Each entry below says how it is called. */
type Exported = unknown;
type Exports = Readonly<Record<string, unknown>>;

interface Decoder {
  /** What is decoded, where a name stands for several. */
  readonly part?: string;
  /** `exports`: of the decoder's file, where its encoder stands, too. */
  readonly seeds: (seeds: Seeds, exports: Exports) => readonly Uint8Array[];
  /** @returns whether it was accepted */
  readonly run: (input: Uint8Array, exported: Exported, seeds: Seeds) => boolean | Promise<boolean>;
}

/** Values as the encoder of that name in the decoder's file writes them. */
function encodedBy(name: string, values: (seeds: Seeds) => readonly unknown[]): Decoder['seeds'] {
  return (seeds, exports) => values(seeds).map((value) => (exports[name] as (value: unknown) => Uint8Array)(value));
}

/** Accepted bytes are the only encoding of what they say. */
function codec(name: string, values: (seeds: Seeds) => readonly unknown[] = () => []): Decoder {
  return {
    seeds: (seeds, exports) => [...values(seeds).map((value) => (exports[name] as Codec<unknown>).encode(value)), ...seeds.artifacts],
    run: (input, exported) => {
      const { encode, decode } = exported as Codec<unknown>;
      const decoded = decode(input);
      if (decoded.ok) assert(bytesEqual(encode(decoded.value), input), 'what was accepted is the one encoding of its value');
      else assert(typeof decoded.error.code === 'string', 'a refusal has a code');
      return decoded.ok;
    },
  };
}

function decode(seeds: Decoder['seeds'] = ({ artifacts }) => artifacts, ...rest: readonly unknown[]): Decoder {
  return { seeds, run: (input, exported) => (exported as (...all: unknown[]) => Result<unknown>)(...rest, input).ok };
}

/** For decoders that know one way to be wrong. */
function decodeOrNothing(seeds: Decoder['seeds'] = ({ artifacts }) => artifacts): Decoder {
  return { seeds, run: (input, exported) => (exported as (bytes: Uint8Array) => unknown)(input) !== undefined };
}

/** For readers whose errors are thrown: typed ones only. */
function throwsTyped(call: (text: string, exported: Exported) => unknown): Decoder {
  return {
    seeds: ({ texts }) => textBytes(texts),
    run: (input, exported) => {
      try {
        call(textOf(input), exported);
        return true;
      } catch (error) {
        if (error instanceof NacreError) return false;
        throw error;
      }
    },
  };
}

function text(): Decoder {
  return {
    seeds: ({ texts }) => textBytes(texts),
    run: (input, exported) => (exported as (given: string) => Result<unknown, unknown>)(textOf(input)).ok,
  };
}

/** Any bytes as text: as UTF-8 where they are, or else each as one character. */
function textOf(input: Uint8Array): string {
  return fromUtf8(input) ?? Buffer.from(input).toString('latin1');
}

/** As a chain sends them whose validators change: with a key that is new and one that is known. */
function updates({ headers, certificates }: Seeds): unknown[] {
  const certified = headers.slice(0, 3).map((header) => ({ header, certificate: certificates[0] }));
  const validators = [new Uint8Array(0), new Uint8Array(1312)].map((publicKey, name) => ({
    address: new Uint8Array(32).fill(name),
    weight: 1000,
    publicKey,
  }));
  return [
    { links: certified.map((last) => ({ ...last, validators })), head: certified[0] },
    { links: [], head: null },
  ];
}

const replicaMessages = encodedBy('encodeMessage', ({ votes, proposals, certificates, roundStates, artifacts }) => [
  { kind: 'votes', votes },
  { kind: 'round-state', state: roundStates[0] },
  { kind: 'transactions', bodies: artifacts.slice(-2) },
  { kind: 'instance', instance: new Uint8Array(16) },
  { kind: 'instance-answer', instance: new Uint8Array(16), accepted: true, votes },
  { kind: 'reach', epoch: 1, heard: [0, 2] },
  { kind: 'proposal', proposal: proposals[0], block: artifacts[1], justification: votes },
  { kind: 'decided', certificate: certificates[0], block: artifacts[1] },
]);

const replicaRequests = encodedBy('encodeRequest', () => [
  { kind: 'block', hash: HASH },
  { kind: 'bodies', hashes: [HASH, HASH] },
  { kind: 'headers', from: 1, count: 7 },
  { kind: 'blocks', from: 1, count: 7 },
  { kind: 'snapshots' },
  { kind: 'snapshot-parts', height: 1, names: ['history', 'state/0f'] },
]);

function answerTo(
  kind: 'block' | 'bodies' | 'headers' | 'blocks' | 'snapshots' | 'snapshot-parts',
  answers: (seeds: Seeds) => readonly unknown[],
): Decoder {
  const seeds: Decoder['seeds'] = (given, exports) =>
    answers(given).map((answer) => (exports.encodeAnswer as (kind: string, answer: unknown) => Uint8Array)(kind, answer));
  return { ...decode(seeds, kind), part: kind };
}

const journals: Decoder['seeds'] = ({ locks }, exports) => {
  const { encodeJournalHeader, encodeJournalFrame, journalBase } = exports as unknown as JournalFormat;
  const identity = new Uint8Array(16).fill(9);
  const base = journalBase(identity, 0);
  const header = encodeJournalHeader({ identity, validator: HASH, floorHeight: 0, base });
  const first = encodeJournalFrame(base, { height: 3, messages: [{ kind: 'vote', bytes: SIGNATURE }], lock: locks[1] });
  const second = encodeJournalFrame(first.position, { height: 4, messages: [], lock: null });
  return [header, concatBytes(header, first.bytes, second.bytes), concatBytes(header, first.bytes, second.bytes.subarray(0, 20))];
};

interface JournalFormat {
  readonly journalBase: (identity: Uint8Array, sequence: number) => unknown;
  readonly encodeJournalHeader: (header: unknown) => Uint8Array;
  readonly encodeJournalFrame: (previous: unknown, entry: unknown) => { readonly position: unknown; readonly bytes: Uint8Array };
}

const address = {
  address: HASH,
  peerId: utf8('12D3KooW'),
  multiaddrs: [Uint8Array.of(4, 127, 0, 0, 1, 6, 37, 168)],
  madeAtMs: 5,
  signature: SIGNATURE,
};

const hello = { genesisHash: HASH, protocolVersion: 1, nonce: HASH, instance: new Uint8Array(16), claim: HASH };

/** Every exported decoder of bytes or text from outside, by file and name. */
export const DECODERS: Readonly<Record<string, readonly Decoder[]>> = {
  'client/src/outbox-content.ts decodeContent': [
    {
      ...text(),
      seeds: () =>
        textBytes([
          '{"version":"1","kind":"transaction","tx":"AAAA"}',
          '{"version":"1","kind":"refused","txId":"","code":"","message":"","retryable":true,"hint":"","fields":{}}',
        ]),
    },
  ],
  'client/src/outbox-file-format.ts decodeItemFile': [decode(encodedBy('encodeItemFile', () => [{ id: 'one', content: '{}' }]))],
  'client/src/read-genesis.ts readGenesis': [throwsTyped((given, exported) => (exported as (text: string) => unknown)(given))],
  'consensus/src/certificate.ts certificateCodec': [codec('certificateCodec', ({ certificates }) => certificates)],
  'consensus/src/evidence.ts equivocationCodec': [codec('equivocationCodec', ({ equivocations }) => equivocations)],
  'consensus/src/lock.ts lockCodec': [codec('lockCodec', ({ locks }) => locks)],
  'consensus/src/proposal.ts proposalMessageCodec': [
    codec('proposalMessageCodec', ({ proposals }) => proposals.map((content) => ({ context: { genesisHash: HASH, chain: 0 }, content }))),
  ],
  'consensus/src/proposal.ts proposalCodec': [codec('proposalCodec', ({ proposals }) => proposals)],
  'consensus/src/round-state.ts roundStateCodec': [codec('roundStateCodec', ({ roundStates }) => roundStates)],
  'consensus/src/vote.ts voteMessageCodec': [
    codec('voteMessageCodec', ({ votes }) => votes.map((content) => ({ context: { genesisHash: HASH, chain: 0 }, content }))),
  ],
  'consensus/src/vote.ts voteCodec': [codec('voteCodec', ({ votes }) => votes)],
  'crypto/src/address.ts parseAddress': [text()],
  'crypto/src/state-page.ts decodePage': [
    { ...decode(undefined, ''), part: 'root' },
    { ...decode(undefined, '3a'), part: 'below' },
  ],
  'ledger/src/block.ts decodeBlock': [decode()],
  'ledger/src/effect-operations.ts storedRunCodec': [codec('storedRunCodec')],
  'ledger/src/header.ts decodeHeader': [decode(encodedBy('encodeHeader', ({ headers }) => headers))],
  'ledger/src/checkpoint-file.ts parseCheckpoint': [text()],
  'ledger/src/light-update.ts lightUpdateCodec': [codec('lightUpdateCodec', updates)],
  'ledger/src/parse-genesis.ts parseGenesis': [text()],
  'ledger/src/proof.ts proofCodec': [codec('proofCodec')],
  'ledger/src/record.ts recordCodec': [codec('recordCodec', ({ records }) => records)],
  'ledger/src/status.ts expiredStatusCodec': [codec('expiredStatusCodec', () => [{ height: 1, timeMs: 1 }])],
  'ledger/src/status.ts includedStatusCodec': [codec('includedStatusCodec')],
  'ledger/src/snapshot-part.ts historyPartCodec': [codec('historyPartCodec', () => [{ frontier: new Uint8Array(96) }])],
  'ledger/src/snapshot-part.ts idsPartCodec': [
    codec('idsPartCodec', () => [{ blocks: [{ header: new Uint8Array(400), ids: new Uint8Array(128) }] }]),
  ],
  'ledger/src/snapshot-part.ts includedIdsCodec': [
    codec('includedIdsCodec', () => [{ header: new Uint8Array(400), ids: new Uint8Array(128) }]),
  ],
  'ledger/src/snapshot-part.ts logsPartCodec': [
    codec('logsPartCodec', () => [{ logs: [{ service: HASH, frontier: new Uint8Array(64) }] }]),
  ],
  'ledger/src/snapshot-part.ts snapshotManifestCodec': [codec('snapshotManifestCodec', () => [MANIFEST])],
  'ledger/src/snapshot-part.ts statePartCodec': [
    codec('statePartCodec', () => [
      { kind: 'branch', page: new Uint8Array(1200) },
      {
        kind: 'entries',
        entries: [
          { key: HASH, content: { value: new Uint8Array(40) } },
          { key: HASH, content: { valueHash: HASH } },
        ],
      },
    ]),
  ],
  'ledger/src/snapshot-part.ts snapshotTargetCodec': [codec('snapshotTargetCodec', () => [{ manifest: MANIFEST, isAdopting: true }])],
  'ledger/src/stored-value.ts readStored': [
    {
      seeds: (_, exports) => {
        const stored: Uint8Array[] = [];
        const value = new Uint8Array(12);
        const puts = [{ type: 'put', key: HASH, value } as const, { type: 'put', key: HASH, value, isPointer: true } as const];
        const batch = { put: (__: Uint8Array, bytes: Uint8Array) => stored.push(bytes) };
        (exports.addOperations as (batch: unknown, operations: unknown) => void)(batch, puts);
        return stored;
      },
      run: (input, exported) => (exported as (key: Uint8Array, stored: Uint8Array) => unknown)(HASH, input) !== null,
    },
  ],
  'ledger/src/tip.ts storedTipCodec': [codec('storedTipCodec')],
  'ledger/src/transaction.ts decodeContents': [
    {
      // Within an envelope: version, two offsets, contents, signature.
      seeds: ({ artifacts }) => artifacts.map((bytes) => bytes.subarray(9, bytes.length - 2420)),
      run: (input, exported, { genesis }) => (exported as (bytes: Uint8Array, of: unknown) => Result<unknown>)(input, genesis).ok,
    },
  ],
  'ledger/src/transaction.ts decodeTransaction': [
    {
      seeds: ({ artifacts }) => artifacts,
      run: (input, exported, { genesis }) => (exported as (bytes: Uint8Array, of: unknown) => Result<unknown>)(input, genesis).ok,
    },
  ],
  'ledger/src/verify-proof.ts verifyProof': [
    {
      seeds: ({ artifacts }) => artifacts,
      run: async (input, exported, { genesis }) => {
        const verifier = { verify: () => Promise.resolve(true) };
        return (await (exported as (...all: unknown[]) => Promise<Result<unknown>>)(genesis, input, verifier)).ok;
      },
    },
  ],
  'ledger/src/vote-journal-entry.ts journalEntryCodec': [
    codec('journalEntryCodec', ({ locks }) => [
      { height: 3, messages: [{ kind: 'vote', bytes: SIGNATURE }], lock: locks[1] },
      { height: 3, messages: [{ kind: 'proposal', bytes: SIGNATURE }], lock: null },
    ]),
  ],
  'ledger/src/vote-journal-format.ts decodeJournal': [decode(journals)],
  'ledger/src/vote-journal-format.ts decodeJournalIdentity': [
    decodeOrNothing(encodedBy('encodeJournalIdentity', () => [{ identity: new Uint8Array(16) }, { doubt: 'JOURNAL_MISSING' }])),
  ],
  'ledger/src/vote-journal-format.ts decodeJournalMark': [
    decodeOrNothing(encodedBy('encodeJournalMark', () => [{ sequence: 3, checksum: HASH }])),
  ],
  'network/src/address-record.ts addressListCodec': [codec('addressListCodec', () => [[], [address], [address, address]])],
  'network/src/admission-messages.ts decodeAdmission': [
    decode(
      encodedBy('encodeAdmission', () => [
        { kind: 'hello', hello },
        { kind: 'hello', hello: { ...hello, claim: null } },
        { kind: 'proof', signature: SIGNATURE },
        { kind: 'verdict', refusal: null },
      ]),
    ),
  ],
  'network/src/frame-reader.ts FrameReader': [
    {
      seeds: () => [Uint8Array.of(0, 0, 0, 2, 7, 7, 0, 0, 0, 0), Uint8Array.of(255, 255, 255, 240)],
      run: (input, exported) => {
        const delivered: Uint8Array[] = [];
        const Reader = exported as new (options: unknown) => { push(chunk: Uint8Array): Result<void> };
        const reader = new Reader({ frameBytesMax: 1000, onFrame: (frame: Uint8Array) => delivered.push(frame) });
        // Cut where its own first byte says, so that a frame comes in two chunks.
        const cut = (input[0] ?? 0) % (input.length + 1);
        const isRead = reader.push(input.subarray(0, cut)).ok && reader.push(input.subarray(cut)).ok;
        assert(delivered.reduce((sum, frame) => sum + frame.length, 0) <= input.length, 'frames hold no more than came');
        return isRead;
      },
    },
  ],
  'network/src/multiaddrs.ts readTcpAddress': [
    { ...decodeOrNothing(() => [...address.multiaddrs]), part: 'binary' },
    {
      ...decodeOrNothing(),
      part: 'text',
      seeds: ({ texts }) => textBytes(texts),
      run: (input, exported) => (exported as (given: string) => unknown)(textOf(input)) !== undefined,
    },
  ],
  'node/src/configuration.ts readConfiguration': [
    throwsTyped((given, exported) =>
      (exported as (sources: unknown) => unknown)({ file: { path: 'config.json', text: given }, environment: {}, flags: {} }),
    ),
  ],
  'node/src/testnet/partition.ts parseSides': [
    throwsTyped((given, exported) => (exported as (text: string, nodes: number) => unknown)(given, 4)),
  ],
  'node/src/signer/signer-wire.ts decodeSignerAnswer': [
    decode(
      encodedBy('encodeSignerAnswer', () => [
        { kind: 'welcome', publicKey: SIGNATURE, floorHeight: 3, inDoubt: false },
        { kind: 'signed', signature: SIGNATURE },
        { kind: 'recalled', messages: [], more: false },
        {
          kind: 'recalled',
          messages: [
            { kind: 'vote', bytes: SIGNATURE },
            { kind: 'proposal', bytes: HASH },
          ],
          more: true,
        },
        { kind: 'refused', code: 'SIGNED_OTHERWISE' },
      ]),
    ),
  ],
  'node/src/signer/signer-wire.ts decodeSignerRequest': [
    decode(
      encodedBy('encodeSignerRequest', () => [
        { kind: 'hello', genesisHash: HASH },
        { kind: 'sign', context: utf8('nacre/1/vote'), message: HASH, contents: SIGNATURE },
        { kind: 'recall', aboveHeight: 5, skip: 32 },
      ]),
    ),
  ],
  'replica/src/wire.ts decodeAnswer': [
    answerTo('block', ({ artifacts }) => [{ block: null }, { block: artifacts[1] }]),
    answerTo('bodies', ({ artifacts }) => [{ bodies: [] }, { bodies: artifacts.slice(0, 3) }]),
    answerTo('headers', ({ headers, certificates }) => [
      { headers: [], certificate: null },
      { headers, certificate: certificates[0] },
    ]),
    answerTo('blocks', ({ artifacts }) => [{ blocks: [{ block: artifacts[1], bodies: artifacts.slice(0, 2) }] }]),
    answerTo('snapshots', () => [{ manifests: [MANIFEST] }]),
    answerTo('snapshot-parts', ({ artifacts }) => [{ parts: artifacts.slice(1, 3) }]),
  ],
  'replica/src/wire.ts decodeMessage': [decode(replicaMessages)],
  'replica/src/wire.ts decodeRequest': [decode(replicaRequests)],
};

/** Exports that are named like decoders and are none of outside input, or are covered by another, and why. */
export const NOT_FUZZED: Readonly<Record<string, string>> = {
  'client/src/answer-shape.ts readShape': 'checks a shape; decodeContent runs it on mutated input',
  'consensus/src/certificate.ts decodeCertificate': 'certificateCodec.decode',
  'consensus/src/proposal.ts decodeProposal': 'proposalCodec.decode',
  'consensus/src/vote.ts decodeVote': 'voteCodec.decode',
  'client/src/light-client.ts readCheckpoint': 'parseCheckpoint',
  'crypto/src/key-file.ts readKeyFile': 'a file of the operator: packages/crypto/test/key-file.test.ts damages each byte',
  'ledger/src/overlay.ts decodeState': 'of values that the state root covers; what else it reads is a bug, and asserts',
  'ledger/src/overlay.ts readState': 'decodeState',
  'ledger/src/stored-tail.ts readTip': 'storedTipCodec',
  'ledger/src/state-kinds.ts valueCodec': 'makes the codecs of kinds, whose values the state root covers',
  'ledger/src/status.ts readStatus': 'includedStatusCodec and expiredStatusCodec',
  'ledger/src/transaction.ts readTransaction': 'decodeTransaction begins with it',
  'node/src/banned-peers.ts readBannedPeers': 'reads a file that the node wrote; its test has damaged ones',
  'node/src/cli/checkpoint-options.ts readCheckpointFile': 'reads a file; parseCheckpoint decodes it',
  'node/src/home.ts readConfigurationText': 'reads a file; readConfiguration decodes it',
  'node/src/home.ts readGenesis': 'reads a file; parseGenesis decodes it',
  'node/src/key-possession.ts readPossession': 'a file of the operator, by JSON.parse and zod; the signature decides',
  'node/src/peer-key.ts readPeerKey': 'a file of the operator, decoded by node:crypto',
  'node/src/testnet/prices.ts readPrices': 'a file that the user names; its test has malformed ones',
  'simulator/src/command-line.ts parseCommandLine': 'the command of a developer',
  'simulator/src/seed-options.ts parseSeedOptions': 'options of the same command',
};

/** Every export of a package that is named like a decoder: `decode…`, `parse…`, `read…`, `…Codec`. */
export async function exportedDecoders(): Promise<string[]> {
  const found: string[] = [];
  const packages = join(ROOT, 'packages');
  for (const entry of await readdir(packages, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(packages.length + 1);
    if (!entry.isFile() || !/^[^/]+\/src\/.*\.ts$/.test(path)) continue;
    const source = await readFile(join(packages, path), 'utf8');
    for (const [, name] of source.matchAll(/^export (?:async )?(?:function|const) ((?:decode|parse|read)[A-Z]\w*|\w+Codec)\b/gm)) {
      if (name !== 'strictCodec' && name !== 'convertedCodec') found.push(`${path} ${name}`);
    }
  }
  return found.sort();
}

/** The decoders as targets, with seeds made of a small chain. */
export async function decoderTargets(): Promise<FuzzTarget[]> {
  const seeds = await makeSeeds();
  const targets: FuzzTarget[] = [];
  for (const [key, decoders] of Object.entries(DECODERS)) {
    const [path = '', name = ''] = key.split(' ');
    const exports = await load(path);
    const exported = exports[name];
    assert(exported !== undefined, `${key} is not there`);
    for (const { part, seeds: seedsOf, run } of decoders) {
      targets.push({
        name: part === undefined ? name : `${name} (${part})`,
        seeds: seedsOf(seeds, exports),
        run: (input) => run(input, exported, seeds),
      });
    }
  }
  targets.push(await rpcBodies(load, seeds.genesis));
  return targets;
}

/** By path, because most decoders are nobody's business outside of their package. */
function load(path: string): Promise<Record<string, unknown>> {
  return import(pathToFileURL(join(ROOT, 'packages', path)).href) as Promise<Record<string, unknown>>;
}
