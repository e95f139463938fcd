import type { SignerError } from '@nacre/base';
import { VOTE_CONTEXT, voteMessage } from '@nacre/consensus';
import { createGenesis, type Genesis } from '@nacre/ledger';
import { beforeEach, describe, expect, test } from 'vitest';
import { SIMULATED_SCHEME, testKit } from '../src/signature-kit.ts';
import { SignerLinkEnd } from '../src/signer-link.ts';
import { SignerProcess } from '../src/signer-process.ts';
import { simLog } from '../src/sim-log.ts';
import { SimValidator } from '../src/sim-validator.ts';
import { Machine } from './support/machine.ts';

let machine: Machine;
let signer: SignerProcess;
let problems: string[];

let genesis: Genesis;

beforeEach(async () => {
  machine = new Machine();
  problems = [];
  const validator = new SimValidator(testKit({ short: true }).newKey(machine.random.fork('key')));
  const validators = [{ publicKey: validator.signer.publicKey, weight: 1 }];
  genesis = createGenesis({ network: 'test', timeMs: 1, scheme: SIMULATED_SCHEME, validators, allowLargeWeights: true });
  const { scheduler, disk, random } = machine;
  const options = { node: 0, genesis, validator, epochMs: 1_000 };
  const report = (code: string): void => {
    problems.push(code);
  };
  signer = new SignerProcess(options, { scheduler, disk, random, log: simLog(0, () => {}), report });
  await machine.finish(signer.prepare());
  await machine.finish(signer.start());
});

async function connected(): Promise<SignerLinkEnd> {
  const link = new SignerLinkEnd(machine.life(), signer, { random: machine.random.fork('link'), tally: machine.tally });
  await machine.finish(link.connected());
  return link;
}

function outcome(link: SignerLinkEnd, blockHash: Uint8Array | null): Promise<string> {
  const message = voteMessage(genesis.context, { height: 5, round: 0, kind: 'prepare', blockHash });
  const signed = link.sign(message, VOTE_CONTEXT).then(
    () => 'signed',
    ({ code }: SignerError) => code,
  );
  return machine.finish(signed);
}

describe('a signer in a process of its own', () => {
  test('signs for one node at a time, and remembers over a power cut what it signed', async () => {
    const link = await connected();
    expect(link.session).toBe(1);
    expect(signer.greet({ ended: () => {} })).toBeNull();
    expect(await outcome(link, null)).toBe('signed');
    signer.crash();
    expect(link.session).toBeNull();
    await machine.finish(signer.start());
    await machine.pass(3_000);
    expect(link.session).toBe(2);
    expect(await machine.finish(link.recall(0))).toHaveLength(1);
    expect(await outcome(link, new Uint8Array(32).fill(1))).toBe('SIGNER_REFUSED');
    expect(problems).toEqual([]);
  });

  test('that is cut off after it has signed leaves its node without an answer', async () => {
    const link = await connected();
    signer.onNextSigned(() => signer.cut());
    expect(await outcome(link, null)).toBe('SIGNER_AWAY');
    await machine.pass(100);
    expect(machine.tally.counts().answerUnheard).toBe(1);
    expect(await machine.finish(link.recall(0))).toHaveLength(1);
  });
});
