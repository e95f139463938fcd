import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatAddress } from '@nacre/crypto';
import { formatGenesis } from '@nacre/ledger';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EXIT } from '../src/cli/exit-status.ts';
import { runCli } from '../src/cli/program.ts';
import { capturedIo } from './support/captured-io.ts';
import { newKey, RpcNode } from './support/rpc-node.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const RUNS_NOTHING = '--no-run';

describe('deciding about validators by command', () => {
  let node: RpcNode;
  let directory: string;
  let genesis: string;
  let home: string;

  beforeAll(async () => {
    node = await RpcNode.start();
  });
  afterAll(() => node?.stop());
  beforeEach(async () => {
    directory = await temporaryDirectory();
    genesis = join(directory, 'genesis.json');
    home = join(directory, 'newcomer');
    await writeFile(genesis, formatGenesis(node.genesis));
  });

  async function nacre(args: readonly string[], stdin = '') {
    const io = capturedIo({ stdin });
    const status = await runCli([...args, '--rpc', node.url], io);
    return { status, out: io.out(), err: io.err() };
  }

  /** Makes the home of a validator-to-be. @returns what it hands to whoever proposes it */
  async function newcomer(): Promise<string> {
    const made = await nacre(['join', '--validator', RUNS_NOTHING, '--genesis', genesis, '--peer', '/ip4/127.0.0.1/tcp/1', '--home', home]);
    expect(made).toMatchObject({ status: EXIT.done, err: expect.stringContaining(`nacre keys prove --home ${home}`) });
    return (await nacre(['keys', 'prove', '--home', home])).out;
  }

  const propose = (proof: string, ...more: string[]) =>
    nacre(['validators', 'propose', 'join', '--proof', '-', '--weight', '100', '--home', home, ...more], proof);

  test('a newcomer proves its key, and a dry run shows what it would lead to', async () => {
    const proof = await newcomer();
    const { status, out } = await propose(proof, '--dry-run');
    expect(status).toBe(EXIT.done);
    expect(out).toContain('would act from epoch 2 on');
    expect(out).toContain((JSON.parse(proof) as { address: string }).address);
    expect(out).toMatch(/total +1000 +1100\n/);
  });

  test('a proof that another key made, for another network, or of nothing is refused before anything is signed', async () => {
    const proof = JSON.parse(await newcomer()) as Record<string, string>;
    for (const [change, why] of [
      [{ address: formatAddress(newKey().address) }, 'the key has not signed it'],
      [{ genesisHash: '00'.repeat(32) }, 'it is for another network'],
      [{ publicKey: 5 }, 'publicKey'],
    ] as const) {
      const { status, err } = await propose(JSON.stringify({ ...proof, ...change }));
      expect([status, err.includes(why)]).toEqual([EXIT.configuration, true]);
    }
    expect((await propose('not json')).status).toBe(EXIT.configuration);
  });

  test('what the network would refuse is refused in words', async () => {
    await newcomer();
    const stranger = formatAddress(newKey().address);
    const left = await nacre(['validators', 'propose', 'leave', stranger, '--home', home]);
    expect(left).toMatchObject({ status: EXIT.refused, err: expect.stringContaining('No validator has this address.') });
    const gone = await nacre(['validators', 'propose', 'leave', 'only', '--home', home]);
    expect(gone).toMatchObject({ status: EXIT.refused, err: expect.stringContaining('Nobody would be left.') });
    // What would be decided is not for a newcomer to propose: it has no account.
    const parameter = await nacre(['validators', 'propose', 'parameter', 'epochMs', '60000', '--home', home]);
    expect(parameter).toMatchObject({ status: EXIT.refused, err: expect.stringContaining('The account is not known.') });
    expect((await nacre(['validators', 'propose', 'leave', 'nobody', '--home', home])).status).toBe(EXIT.usage);
    expect((await nacre(['validators', 'propose', 'parameter', 'bogus', '1', '--home', home])).status).toBe(EXIT.usage);
    expect((await nacre(['validators', 'approve', 'ab', '--home', home])).err).toContain('no open proposal begins with ab');
  });

  test('a home without a validator’s key says where to look', async () => {
    await nacre(['join', RUNS_NOTHING, '--genesis', genesis, '--peer', '/ip4/127.0.0.1/tcp/1', '--home', home]);
    expect(await nacre(['keys', 'prove', '--home', home])).toMatchObject({
      status: EXIT.configuration,
      err: expect.stringContaining('signer'),
    });
  });

  // @mutation packages/node/src/cli/rotate-validator-key.ts
  // - if (!existsSync(paths.nextValidatorKey)) {
  // + {
  test('a rotation that came to nothing is taken up again with the same key', async () => {
    await newcomer();
    const next = join(home, 'validator-key-next.pem');
    const first = await nacre(['keys', 'rotate', '--home', home]);
    expect(first).toMatchObject({ status: EXIT.refused, err: expect.stringContaining('The account is not known.') });
    const key = await readFile(next, 'utf8');
    expect((await nacre(['keys', 'rotate', '--home', home])).status).toBe(EXIT.refused);
    expect(await readFile(next, 'utf8')).toBe(key);
    expect(await readFile(join(home, 'validator-address'), 'utf8')).toMatch(/^nacre1/);
  });

  test('lists say who decides, what is proposed, and what was proven', async () => {
    const validators = await nacre(['validators']);
    expect(validators.out).toMatch(/^epoch 0, weight 1000; weight 333 may fail: any 0 of the validators\n/);
    expect(validators.out).toContain('Its full weight of 1000, as decided.');
    expect((await nacre(['validators', 'proposals'])).out).toBe('epoch 0: nothing is proposed\n');
    expect((await nacre(['evidence'])).out).toBe('no offence is proven\n');
    expect((await nacre(['evidence', '--verify'], '{}')).status).toBe(EXIT.usage);
    expect((await nacre(['evidence', '--verify', '--genesis', genesis], '{}')).status).toBe(EXIT.configuration);
  });

  test.each(['epochMs=0', 'epochsMs=5', 'epochMs', 'epochMs=x'])('a testnet is not made with the parameter %s', async (parameter) => {
    const made = await nacre(['testnet', 'init', '--nodes', '1', '--output', join(directory, 'net'), '--parameter', parameter]);
    expect(made.status).toBe(EXIT.usage);
  });
});
