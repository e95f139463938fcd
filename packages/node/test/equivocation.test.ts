import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, type Log } from '@nacre/base';
import { VOTE_CONTEXT, voteMessage } from '@nacre/consensus';
import { createVerifier } from '@nacre/crypto/native';
import { Libp2pTransport } from '@nacre/network';
import { decodeMessage, encodeMessage } from '@nacre/replica';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../src/cli/program.ts';
import { callRpc } from '../src/cli/rpc-client.ts';
import { readConfiguration } from '../src/configuration.ts';
import { homePaths, openHome, readConfigurationText } from '../src/home.ts';
import { createTestnet, type TestnetNode } from '../src/new-testnet.ts';
import { type RunningNode, startNode } from '../src/node.ts';
import { systemClock, systemRandom } from '../src/system-ports.ts';
import { capturedIo } from './support/captured-io.ts';
import { freeBasePort } from './support/free-base-port.ts';
import { until } from './support/running-testnet.ts';

const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
const SETUP_MS = 120_000;
const OFFENDER = 3;

async function openNode({ home }: TestnetNode) {
  const paths = homePaths(home);
  const file = { path: paths.configuration, text: await readConfigurationText(paths) };
  const configuration = readConfiguration({ file, environment: {}, flags: {} });
  return { configuration, opened: await openHome(paths, { genesisPath: configuration.genesis, passphrase: undefined }) };
}

async function start(node: TestnetNode): Promise<RunningNode> {
  const { opened, configuration } = await openNode(node);
  return startNode(opened, configuration, log);
}

/** What stands in for a validator, with its key: it prepares every proposal, and nothing at the same place, and tells everyone both. */
async function startDouble(node: TestnetNode): Promise<Libp2pTransport> {
  const { opened, configuration } = await openNode(node);
  const { genesis, validator, peerSeed } = opened;
  assert(validator !== null, 'the home holds a validator’s key');
  const { committee, context } = genesis;
  const self = committee.indexOf(validator.address);
  assert(self !== null, 'the genesis names it');
  const transport = await Libp2pTransport.create(
    {
      genesisHash: genesis.hash,
      protocolVersion: genesis.parameters.protocolVersion,
      peerKey: peerSeed,
      identity: validator,
      validatorKey: (address) => committee.validators[committee.indexOf(address) ?? committee.size]?.publicKey,
      listen: configuration.listen,
      bootstrap: configuration.bootstrap,
      security: 'tls',
    },
    { verifier: createVerifier(genesis.scheme), log, random: systemRandom, clock: systemClock },
  );
  const sayBoth = async (frame: Uint8Array): Promise<void> => {
    const message = decodeMessage(frame);
    if (!message.ok || message.value.kind !== 'proposal') return;
    const { height, round, blockHash } = message.value.proposal;
    for (const choice of [blockHash, null]) {
      const content = { height, round, kind: 'prepare' as const, blockHash: choice };
      const signature = await validator.signer.sign(voteMessage(context, content), VOTE_CONTEXT);
      transport.broadcast('committee', encodeMessage({ kind: 'votes', votes: [{ ...content, validator: self, signature }] }));
    }
  };
  transport.start({
    connected: () => undefined,
    disconnected: () => undefined,
    request: async () => undefined,
    message: (_, frame) => void sayBoth(frame),
  });
  return transport;
}

describe('a validator’s key that signs two things at one place', { timeout: SETUP_MS }, () => {
  let directory: string;
  let nodes: readonly TestnetNode[] = [];
  let running: RunningNode[] = [];
  let double: Libp2pTransport;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nacre-equivocation-'));
    const parameters = { epochMs: 1_000, epochBlocksMin: 2 };
    const made = await createTestnet(
      { directory: join(directory, 'net'), nodes: 4, basePort: await freeBasePort(), parameters },
      Date.now(),
    );
    nodes = made.nodes;
    running = await Promise.all(nodes.filter(({ index }) => index !== OFFENDER).map(start));
    double = await startDouble(nodes[OFFENDER] as TestnetNode);
  }, SETUP_MS);
  afterAll(async () => {
    await double.stop();
    await Promise.all(running.map((node) => node.stop()));
    await rm(directory, { recursive: true, force: true });
  }, SETUP_MS);

  const call = (method: string, params: Record<string, unknown> = {}) =>
    callRpc(running[0]?.rpcUrl ?? '', method, params, { waitMs: 30_000 });
  const record = async (): Promise<unknown> =>
    (await call('record_submit', { service: 'notes', payload: 1, wait: 'committed', timeoutMs: 30_000 })).status;
  const offences = async () =>
    (await call('evidence_list')).offences as { kind: string; name: string; epoch: number; provenHeight: number }[];
  const offender = async () =>
    ((await call('validator_list')).validators as { name: string; weight: number; quarantined: boolean }[]).find(
      ({ name }) => name === `node${OFFENDER}`,
    );

  test('is proven by those who saw it, and gone from the next epoch on, while decisions go on', async () => {
    await until('the offence is proven', async () => {
      expect(await record()).toBe('committed');
      return (await offences()).length > 0;
    });
    expect((await offences())[0]).toMatchObject({ kind: 'prepare', name: `node${OFFENDER}` });
    await until('it is quarantined', async () => {
      expect(await record()).toBe('committed');
      return (await offender())?.quarantined === true;
    });
    expect(await offender()).toMatchObject({ weight: 0 });
    const before = (await call('node_status')).chains as { height: number }[];
    expect(await record()).toBe('committed');
    const after = (await call('node_status')).chains as { height: number }[];
    expect(after[0]?.height).toBeGreaterThan(before[0]?.height ?? 0);
  });

  test('is verified offline with the genesis alone, and not if a signature is another', async () => {
    const printed = JSON.stringify(await call('evidence_list'));
    const genesis = join(directory, 'net', 'genesis.json');
    const verify = (stdin: string) => runCli(['evidence', '--verify', '--genesis', genesis], capturedIo({ stdin }));
    expect(await verify(printed)).toBe(0);
    const [offence] = (JSON.parse(printed) as { offences: { evidence: string }[] }).offences;
    const evidence = Buffer.from(offence?.evidence ?? '', 'base64');
    evidence[evidence.length - 5] = (evidence.at(-5) as number) ^ 1;
    expect(await verify(printed.replace(offence?.evidence as string, evidence.toString('base64')))).not.toBe(0);
  });
});
