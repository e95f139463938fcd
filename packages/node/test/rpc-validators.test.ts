import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toHex } from '@nacre/base';
import { equivocationOf, VOTE_CONTEXT, type Vote, voteMessage } from '@nacre/consensus';
import { formatAddress } from '@nacre/crypto';
import { formatGenesis, type Operation, POSSESSION_CONTEXT, possessionMessage, proposalId } from '@nacre/ledger';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../src/cli/exit-status.ts';
import { runCli } from '../src/cli/program.ts';
import { explainValidator } from '../src/rpc/explain-validator.ts';
import { capturedIo } from './support/captured-io.ts';
import { newKey, RpcNode, refusal, result } from './support/rpc-node.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

let node: RpcNode;
let url: string;

beforeAll(async () => {
  // Every block is the last of its epoch.
  node = await RpcNode.start({ parameters: { epochMs: 1, epochBlocksMin: 1 } });
  url = node.url;
});

afterAll(() => node?.stop());

async function decide(operation: Operation) {
  return node.decide(await node.transaction(node.validator, [operation]));
}

/** A block that decides nothing of interest. */
const pass = () => decide({ kind: 'validator.recover', nonce: new Uint8Array(16) });

/** @returns how `nacre evidence --verify` ends and what it prints */
async function verified(list: string): Promise<[number, unknown]> {
  const genesis = join(await temporaryDirectory(), 'genesis.json');
  await writeFile(genesis, formatGenesis(node.genesis));
  const io = capturedIo({ stdin: list });
  const status = await runCli(['evidence', '--verify', '--genesis', genesis, '--json'], io);
  return [status, JSON.parse(io.out())];
}

describe('evidence', () => {
  // @mutation packages/node/src/verify-evidence.ts
  // - if (!(await verifier.verify({ publicKey, message, context, signature: signed.signature }))) return fail({ code: 'EVIDENCE_SIGNATURE' });
  // + await verifier.verify({ publicKey, message, context, signature: signed.signature });
  // @mutation packages/node/src/verify-evidence.ts
  // - return isItsFirst || isKnown ? ok(decoded.value) : fail({ code: 'KEY_UNPROVEN' });
  // + return ok(decoded.value);
  test('a proven offence is listed with both messages and the key', async () => {
    expect(await result(url, 'evidence_list')).toEqual({ offences: [], nextFrom: null });
    const height = node.replica.ledger.tip.height;
    const validator = node.replica.ledger.committeeAt(height).indexOf(node.validator.address) ?? -1;
    const vote = async (blockHash: Uint8Array): Promise<Vote> => {
      const content = { height, round: 7, kind: 'prepare' as const, blockHash };
      return {
        ...content,
        validator,
        signature: await node.validator.signer.sign(voteMessage(node.genesis.context, content), VOTE_CONTEXT),
      };
    };
    const equivocation = equivocationOf(await vote(new Uint8Array(32).fill(2)), await vote(new Uint8Array(32).fill(1)));
    if (equivocation === null) throw new Error('the two votes differ');
    await decide({ kind: 'evidence', equivocation });
    const { offences, nextFrom } = await result(url, 'evidence_list', { limit: 1 });
    expect(nextFrom).toBeNull();
    expect(offences).toMatchObject([
      {
        ...{ offence: 0, address: formatAddress(node.validator.address), name: 'only', kind: 'prepare', height, round: 7 },
        ...{ publicKey: base64(node.validator.signer.publicKey) },
        messages: [{ blockHash: '01'.repeat(32) }, { blockHash: '02'.repeat(32) }],
      },
    ]);
    const list = JSON.stringify({ offences });
    expect(await verified(list)).toMatchObject([0, { verified: [{ offence: 0, holds: true, reason: null }] }]);
    const stranger = newKey();
    const { txId: _, ...offence } = offences[0] as Record<string, unknown>;
    const forged: readonly (readonly [object, string])[] = [
      [{ publicKey: base64(stranger.signer.publicKey) }, 'EVIDENCE_SIGNATURE'],
      [{ address: formatAddress(stranger.address) }, 'KEY_UNPROVEN'],
      [{ evidence: base64(new Uint8Array(9)) }, 'MALFORMED'],
    ];
    for (const [change, reason] of forged) {
      expect(await verified(JSON.stringify({ offences: [{ ...offence, ...change }] }))).toMatchObject([
        EXIT.invalid,
        { verified: [{ holds: false, reason }] },
      ]);
    }
  });
});

describe('what validators decide', () => {
  test('a dry run shows who would decide and how much could fail, before and after', async () => {
    const joiner = newKey();
    const change = { kind: 'validator.join', publicKey: base64(joiner.signer.publicKey), weight: 100 };
    const { actsAtEpoch, before, after } = await result(url, 'validator_dry_run', { change });
    expect(before).toMatchObject({ totalWeight: 1000, faultTolerance: { weight: 333, validators: 0 } });
    expect(after).toMatchObject({ totalWeight: 1100, faultTolerance: { weight: 366, validators: 0 } });
    const { epoch } = await result(url, 'validator_list');
    expect(actsAtEpoch).toBe(epoch + 2);
  });

  test('a dry run of what the network would refuse says why, in words', async () => {
    const change = { kind: 'validator.rehabilitate', address: formatAddress(newKey().address) };
    expect(await refusal(url, 'validator_dry_run', { change })).toMatchObject({
      code: 'CHANGE_REFUSED',
      reason: 'VALIDATOR_UNKNOWN',
      address: change.address,
      why: expect.stringMatching(/\.$/),
    });
    const bogus = { kind: 'parameters.change', name: 'bogus', value: 1 };
    expect(await refusal(url, 'validator_dry_run', { change: bogus })).toMatchObject({ code: 'INVALID_PARAMS' });
  });

  test('a validator joins: listed as decided, then scheduled, then serving', async () => {
    const joiner = newKey();
    const { publicKey } = joiner.signer;
    const proofOfPossession = await joiner.signer.sign(possessionMessage(node.genesis.context, joiner.address, 'join'), POSSESSION_CONTEXT);
    const { txId } = await decide({ kind: 'validator.join', address: joiner.address, publicKey, weight: 20, proofOfPossession });
    const address = formatAddress(joiner.address);
    const { proposals, neededWeight } = await result(url, 'validator_proposals');
    expect(neededWeight).toBe(667);
    // One validator holds more than two thirds: what it proposes is decided at once.
    expect(proposals).toMatchObject([
      { id: toHex(proposalId(txId, 0)), missingWeight: 0, approvedWeight: 1000, change: { address, weight: 20 } },
    ]);
    const entry = async () => (await result(url, 'validator_list')).validators.find((validator) => validator.address === address);
    expect(await entry()).toMatchObject({
      weight: 0,
      nextWeight: 20,
      decidedWeight: 20,
      explanation: expect.stringContaining('Serves from epoch'),
    });
    await pass();
    expect(await entry()).toMatchObject({ weight: 20, baseWeight: 20, explanation: expect.stringContaining('Its full weight of 20') });
    expect((await result(url, 'validator_proposals')).proposals).toEqual([]);
    expect((await result(url, 'validator_list', { height: 1 })).validators).toHaveLength(1);
    expect((await result(url, 'account_get', { address })).account).toMatchObject({ publicKey: toHex(publicKey), retired: null });
    expect((await result(url, 'account_get', { address: formatAddress(newKey().address) })).account).toBeNull();
  });
});

describe('an explanation', () => {
  const performance = { epoch: 4, heights: 100, commits: 40, proposals: 9, passed: 3 };
  const member = {
    ...{ address: new Uint8Array(32), publicKey: new Uint8Array(1), weight: 750, baseWeight: 1000, pardonedHeight: 0 },
    ...{ held: null, performance },
  };
  const standing = { member, epoch: 5, weight: 1000, nextWeight: 1000, decidedWeight: 750 };

  test.each([
    [
      standing,
      'Lowered from 1000 to 750 because it signed less than half of an epoch. In epoch 4 it signed 40 of 100 heights. That is less than half, so it falls. Weight 750 from epoch 7 on.',
    ],
    [{ ...standing, member: undefined }, 'No validator any more.'],
    [
      { ...standing, member: { ...member, weight: 0, baseWeight: 0 }, decidedWeight: 0 },
      'It was decided that it leaves. No longer serves from epoch 7 on.',
    ],
    [
      {
        ...standing,
        member: { ...member, weight: 1000, held: { offence: 3, verdict: 'pending' as const, epoch: 5 } },
        decidedWeight: 1000,
      },
      'It signed two different things at one place (offence 3), and is judged when epoch 5 ends. Its full weight of 1000, as decided. In epoch 4 it signed 40 of 100 heights.',
    ],
  ])('says why a validator weighs what it does and what comes next (%#)', (given, expected) => {
    expect(explainValidator(given)).toBe(expected);
  });
});
