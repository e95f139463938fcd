import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { assert, concatBytes } from '@nacre/base';
import { certificateFrom, certificateVotes, decodeCertificate, encodeCertificate, VOTE_CONTEXT, voteMessage } from '@nacre/consensus';
import { nativeVerifier } from '@nacre/crypto/native';
import { createGenesis, formatGenesis, verifyProof } from '@nacre/ledger';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster, type Key, SETUP_TIMEOUT_MS } from './support/cluster.ts';
import { foundService, prices } from './support/prices.ts';

const SERVICE = 'prices';
/** Long, because each of its bytes is one more way to name a key in the same empty place of the state. */
const ABSENT_KEY = 'nothing-'.repeat(20);
const VERIFY_PROOF = fileURLToPath(new URL('./verify-proof-child.ts', import.meta.url));
/** Version byte, then the offsets of claim, links, header and certificate, each of 4 bytes: where a proof says that its certificate begins. */
const CERTIFICATE_OFFSET_AT = 1 + 3 * 4;

interface Finding {
  readonly bytes: number;
  readonly shows: string | null;
  readonly refusal: string | null;
  /** Only of proofs that are accepted. */
  readonly flips?: number;
  readonly accepted?: readonly number[];
}

let root: string;
let cluster: Cluster;
let genesisPath: string;
const proofPaths: string[] = [];
const proofs: Uint8Array[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'nacre-proof-'));
  cluster = await Cluster.start({ root });
  const [, writer] = await foundService(cluster, SERVICE);
  const records = Array.from({ length: 50 }, (_, number) =>
    number % 2 === 0 ? `unkeyed ${number}` : ([`key${number}`, 'keyed'] as const),
  );
  await cluster.committed([await cluster.submit(1, writer as Key, [prices(SERVICE, records)])]);
  await cluster.committed([await cluster.submit(1, writer as Key, [prices(SERVICE, [['key7', 'newer']])])]);
  const { ledger } = cluster.replica(2);
  for (const wanted of [{ index: 20 }, { key: 'key7' }, { key: ABSENT_KEY }]) {
    const proof = await ledger.prove({ service: SERVICE, ...wanted });
    assert(proof.ok, 'the ledger proves what it holds');
    proofs.push(proof.value);
    proofPaths.push(await saved(`${Object.keys(wanted)[0]}-${proofs.length}.proof`, proof.value));
  }
  genesisPath = await saved('genesis.json', formatGenesis(cluster.genesis));
}, SETUP_TIMEOUT_MS);

afterAll(async () => {
  await cluster.stopAll();
  await rm(root, { recursive: true });
});

async function saved(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(root, name);
  await writeFile(path, content);
  return path;
}

async function verifyInProcess(genesis: string, paths: readonly string[]): Promise<Finding[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [VERIFY_PROOF, genesis, ...paths]);
  return JSON.parse(stdout) as Finding[];
}

test('a process with the genesis alone verifies each kind of proof, and no byte of it can change', { timeout: 120_000 }, async () => {
  const findings = await verifyInProcess(genesisPath, proofPaths);
  expect(findings.map(({ shows }) => shows)).toEqual(['included', 'latest', 'absent']);
  expect(findings.map(({ accepted }) => accepted)).toEqual([[], [], []]);
  expect(findings.map(({ flips }) => flips)).toEqual(proofs.map(({ length }) => length));
  const flips = findings.reduce((sum, finding) => sum + (finding.flips ?? 0), 0);
  console.info(`proofs: ${flips} changed bytes, all refused`);
});

// @mutation packages/ledger/src/verify-proof.ts
// - if (!bytesEqual(stateKey, claim.stateKey)) return null;
// + if (stateKey.length === 0) return null;
test('a proof of absence shows its own key, not each other one that would stand in the same empty place', async () => {
  const proof = proofs[2] as Uint8Array;
  const keyAt = Buffer.from(proof.buffer, proof.byteOffset, proof.length).indexOf(ABSENT_KEY);
  const verifier = nativeVerifier(cluster.genesis.scheme);
  const codes = new Set<string>();
  for (let index = keyAt; index < keyAt + ABSENT_KEY.length; index++) {
    const changed = proof.slice();
    changed[index] = 'x'.charCodeAt(0);
    const verified = await verifyProof(cluster.genesis, changed, verifier);
    codes.add(verified.ok ? 'accepted' : verified.error.code);
  }
  expect(codes).toEqual(new Set(['PROOF_CLAIM']));
});

test("a proof means nothing under another network's genesis, the same validators or not", async () => {
  const { timeMs, scheme } = cluster.genesis;
  const validators = cluster.validators.map(({ signer }) => ({ publicKey: signer.publicKey, weight: 1000 }));
  const renamed = createGenesis({ network: 'another', timeMs, scheme, validators });
  const reweighted = createGenesis({
    network: cluster.genesis.network,
    timeMs,
    scheme,
    validators: validators.map((validator) => ({ ...validator, weight: 999 })),
  });
  for (const genesis of [renamed, reweighted]) {
    const findings = await verifyInProcess(await saved(`${genesis.network}.json`, formatGenesis(genesis)), proofPaths);
    expect(findings.map(({ shows }) => shows)).toEqual([null, null, null]);
    expect(new Set(findings.map(({ refusal }) => refusal))).toEqual(new Set(['PROOF_NETWORK']));
  }
});

test('a proof with one commit more than decides is refused, valid as that commit is', async () => {
  const { genesis, validators } = cluster;
  const paths = await Promise.all(
    proofs.map(async (proof, index) => {
      const certificateAt = new DataView(proof.buffer, proof.byteOffset).getUint32(CERTIFICATE_OFFSET_AT, true);
      const certificate = decodeCertificate(proof.subarray(certificateAt));
      assert(certificate.ok, 'a proof ends with its certificate');
      const votes = certificateVotes(certificate.value);
      const absent = genesis.committee.validators.findIndex((_, place) => votes.every(({ validator }) => validator !== place));
      const key = validators.find(({ address }) => genesis.committee.indexOf(address) === absent) as Key;
      const content = { ...certificate.value, kind: 'commit' as const };
      const signature = await key.signer.sign(voteMessage(genesis.context, content), VOTE_CONTEXT);
      const fuller = certificateFrom([...votes, { ...content, validator: absent, signature }]);
      return saved(`fuller-${index}.proof`, concatBytes(proof.subarray(0, certificateAt), encodeCertificate(fuller)));
    }),
  );
  const findings = await verifyInProcess(genesisPath, paths);
  expect(findings.map(({ refusal }) => refusal)).toEqual(['PROOF_CERTIFICATE', 'PROOF_CERTIFICATE', 'PROOF_CERTIFICATE']);
});
