import { type Certificate, certificateFrom, type Vote } from '@nacre/consensus';
import { Block, decodeBlock } from '@nacre/ledger';
import type { Message } from '@nacre/replica';
import type { Behaviour, ByzantineWorld } from './behaviour.ts';

const EVERY_MS = 60;

type Forge = (own: Vote, world: ByzantineWorld) => Certificate;
const everyone = ({ committee }: ByzantineWorld): number[] => [...committee.validators.keys()];

/** Certificates that no quorum signed. */
const FORGES: readonly Forge[] = [
  // Its own signature in everybody's name.
  (own, world) => certificateFrom(everyone(world).map((validator) => ({ ...own, validator }))),
  // Junk in everybody's name.
  (own, world) =>
    certificateFrom(everyone(world).map((validator) => ({ ...own, validator, signature: world.random.bytes(own.signature.length) }))),
  // Too few signers.
  (own) => certificateFrom([own]),
];

/** Claims that blocks are decided by certificates that are not, and spoils signatures in those that it passes on. */
export const forgedCertificates: Behaviour = (world) => {
  const { validator, vote: sign, random, others } = world;
  let latest: Extract<Message, { kind: 'proposal' }> | null = null;

  const spoilParent = (message: Extract<Message, { kind: 'proposal' }>): Message | undefined => {
    const decoded = decodeBlock(message.block);
    if (!decoded.ok || decoded.value.parentCertificate === null) return undefined;
    const { header, bodyHashes, lateCommits, parentCertificate } = decoded.value;
    const victim = random.int(parentCertificate.commits.length);
    const commits = parentCertificate.commits.map((commit, i) =>
      i === victim ? { ...commit, signature: random.bytes(commit.signature.length) } : commit,
    );
    const block = Block.assemble({ header, bodyHashes, lateCommits, parentCertificate: { ...parentCertificate, commits } });
    return { ...message, block: block.bytes };
  };

  return {
    receive: (message) => {
      if (message.kind === 'proposal') latest = message;
      return undefined;
    },
    send: (message) => {
      if (message.kind === 'proposal' && random.chance(0.5)) {
        const spoiled = spoilParent(message);
        if (spoiled === undefined) return undefined;
        world.acted();
        return [{ content: spoiled }];
      }
      if (message.kind !== 'decided') return undefined;
      // A true certificate, padded with a signer who did not sign, or with one signature spoiled.
      const { commits } = message.certificate;
      const missing = everyone(world).find((index) => commits.every((commit) => commit.validator !== index));
      const junk = { validator: missing ?? 0, signature: random.bytes((commits[0] as { signature: Uint8Array }).signature.length) };
      const padded = missing === undefined ? commits.map((commit, i) => (i === 0 ? junk : commit)) : [...commits, junk];
      world.acted();
      const sorted = padded.sort((a, b) => a.validator - b.validator);
      return [{ content: { ...message, certificate: { ...message.certificate, commits: sorted } } }];
    },
    act: {
      everyMs: EVERY_MS,
      now: () => {
        if (latest === null) return;
        const { height, round, blockHash } = latest.proposal;
        const own = sign({ height, round, kind: 'commit', blockHash });
        world.acted();
        const certificate = random.pick(FORGES)({ ...own, validator }, world);
        world.inject(random.pick(others), { kind: 'decided', certificate, block: latest.block });
      },
    },
  };
};
