import { assert, utf8 } from '@nacre/base';
import type { Bench, BenchmarkSuite } from '@nacre/base/benchmark';
import { minimalCertificate } from '@nacre/consensus';
import { portableVerifier, sha256 } from '@nacre/crypto';
import { createSigner, createVerifier } from '@nacre/crypto/native';
import { verifyProof } from '@nacre/ledger';
import { type Proof, proofCodec } from '../src/proof.ts';
import { ChangingChain, type Members } from '../test/support/changing-chain.ts';
import { TestChain } from '../test/support/test-chain.ts';

const SCHEME = 'ml-dsa-44';
const LINKS = [0, 1, 10, 100];
const COMMITTEES = [4, 31];

/** A claim that is true of a state. */
async function trueClaim(): Promise<Pick<Proof, 'claim'> & { readonly stateRoot: Uint8Array }> {
  const { chain, writer } = await TestChain.withService();
  await chain.decide([await chain.append(writer, [['key', 'x'.repeat(250)]])]);
  const proof = await chain.ledger.prove({ service: 'prices', index: 0 });
  const decoded = proof.ok ? proofCodec.decode(proof.value) : proof;
  assert(decoded.ok, 'the ledger proves what it holds');
  return { claim: decoded.value.claim, stateRoot: chain.ledger.tip.stateRoot };
}

/** Validators of which one has a new key in every epoch, as the second half of the seats rotate one after the other. */
function epochs(size: number, count: number): Members[] {
  const generations = Array.from({ length: size }, () => 0);
  return Array.from({ length: count }, (_, epoch) => {
    if (epoch > 0) generations[epoch % size] = epoch;
    return generations.map((generation, seat) => ({ name: `v${seat}`, key: generation === 0 ? `v${seat}` : `v${seat}/${generation}` }));
  });
}

async function measureCommittee(bench: Bench, size: number): Promise<void> {
  const { claim, stateRoot } = await trueClaim();
  const chain = await ChangingChain.create({
    epochs: epochs(size, Math.max(...LINKS) + 1),
    blocksPerEpoch: 1,
    stateRoot,
    makeSigner: (name) => createSigner(SCHEME, sha256(utf8(name))),
  });
  const verifier = createVerifier(SCHEME);
  const proofOf = (links: number): Uint8Array => {
    const { header, certificate } = chain.block(links + 1);
    return proofCodec.encode({
      claim,
      links: chain.links({ toHeight: links + 1 }).links,
      header,
      certificate: minimalCertificate(chain.committee(header.epoch), certificate),
    });
  };
  for (const links of LINKS) {
    const proof = proofOf(links);
    const row = `verify a proof with ${links} links, ${size} validators, ${proof.length.toLocaleString('en')} bytes`;
    await bench.measure(row, { unit: 'proof', iterations: 1 }, async () => {
      const verified = await verifyProof(chain.genesis, proof, verifier);
      assert(verified.ok, 'the proof holds');
    });
  }
  const proof = proofOf(1);
  await bench.measure(`the one with 1 link, by the portable verifier, ${size} validators`, { unit: 'proof', iterations: 1 }, async () => {
    const verified = await verifyProof(chain.genesis, proof, portableVerifier(SCHEME));
    assert(verified.ok, 'the proof holds');
  });
}

const suite: BenchmarkSuite = {
  name: 'light client',
  async run(bench) {
    for (const size of COMMITTEES) await measureCommittee(bench, size);
    bench.note('a record of 250 bytes; each link is a change of one key; a quorum of ML-DSA-44 signatures for each link and for the block');
  },
};

export default suite;
