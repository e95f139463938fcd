import type { BenchmarkSuite } from '@nacre/base/benchmark';
import type { GossipRules } from '@nacre/network';
import { Committee, connected, makeValidator, type NodeOptions, pause, TestNetwork, type TestNode, until } from '../test/support/nodes.ts';

/** A vote with its signature and a small transaction are about this large. */
const FRAME_BYTES = 3 * 1024;
const BATCH = 256;

const EVERYTHING: GossipRules = { relayable: () => true, judge: async () => 'accept' };

/** Hosts in this one process, on sockets of the loopback device: the figures are the CPU of both ends. */
async function hosts(validators: number, followers = 0, options: NodeOptions = {}): Promise<{ network: TestNetwork; nodes: TestNode[] }> {
  const members = Array.from({ length: validators }, makeValidator);
  const network = new TestNetwork(new Committee(...members));
  const nodes: TestNode[] = [];
  for (let i = 0; i < validators + followers; i++) {
    const [validator] = members.slice(i, i + 1);
    nodes.push(await network.node({ ...options, ...(validator && { validator }), bootstrap: nodes.map(({ address }) => address) }));
  }
  await until(() => nodes.every((node) => nodes.every((other) => node === other || connected(node, other))));
  await pause(1_000);
  return { network, nodes };
}

/** Resolves when all receivers together have got `count` more frames. */
async function arrival(receivers: readonly TestNode[], count: number): Promise<void> {
  const got = () => receivers.reduce((sum, { frames }) => sum + frames.length, 0);
  while (got() < count) await new Promise((resolve) => setImmediate(resolve));
  for (const { frames } of receivers) frames.length = 0;
}

const frame = (mark: number): Uint8Array => {
  const bytes = new Uint8Array(FRAME_BYTES);
  new DataView(bytes.buffer).setFloat64(0, mark);
  return bytes;
};

const suite: BenchmarkSuite = {
  name: 'network',
  async run(bench) {
    let mark = 0;
    const two = await hosts(2);
    const [a, b] = two.nodes as [TestNode, TestNode];
    const batch = await bench.measure('lane, 3 KB frames, 256 at a time', { unit: 'frame', perIteration: BATCH }, async () => {
      for (let i = 0; i < BATCH; i++) a.transport.broadcast('committee', frame(mark++));
      await arrival([b], BATCH);
    });
    await bench.measure('lane, one 3 KB frame there and one back', { unit: 'round trip' }, async () => {
      a.transport.broadcast('committee', frame(mark++));
      await arrival([b], 1);
      b.transport.broadcast('committee', frame(mark++));
      await arrival([a], 1);
    });
    const limits = { timeoutMs: 5_000, answerBytesMax: FRAME_BYTES };
    await bench.measure('request, 3 KB each way', { unit: 'request' }, () => a.transport.request(a.peer(b).id, frame(mark++), limits));
    bench.note(`one way, both ends in one thread: ${Math.round((FRAME_BYTES / batch) * (1e6 / 2 ** 20))} MB/s`);
    await two.network.stopAll();

    const four = await hosts(4);
    const [first, ...others] = four.nodes as [TestNode, ...TestNode[]];
    await bench.measure('lane, 3 KB to three peers, 256 at a time', { unit: 'frame', perIteration: BATCH }, async () => {
      for (let i = 0; i < BATCH; i++) first.transport.broadcast('committee', frame(mark++));
      await arrival(others, 3 * BATCH);
    });
    await bench.measure('lane, 3 KB to three peers, one at a time', { unit: 'frame' }, async () => {
      first.transport.broadcast('committee', frame(mark++));
      await arrival(others, 3);
    });
    await four.network.stopAll();

    const gossip = await hosts(1, 3, { gossip: EVERYTHING, limits: { directGossipMax: 0 } });
    const [publisher, ...followers] = gossip.nodes as [TestNode, ...TestNode[]];
    await bench.measure('topic, 3 KB to three peers, 64 at a time', { unit: 'frame', perIteration: 64 }, async () => {
      for (let i = 0; i < 64; i++) publisher.transport.broadcast('gossip', frame(mark++));
      await arrival(followers, 3 * 64);
    });
    await gossip.network.stopAll();
  },
};

export default suite;
