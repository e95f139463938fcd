import { FRAME_BYTES_MAX, type Peer, type Result, type Transport, type TransportHandlers, utf8 } from '@nacre/base';
import { expect, test } from 'vitest';
import { CALM_CONDITIONS, type NetworkConditions } from '../src/network-conditions.ts';
import type { ProcessLife } from '../src/process-life.ts';
import { type InterposedFrame, type NetworkHooks, type OutgoingFrame, SimNetwork } from '../src/sim-network.ts';
import { Machine } from './support/machine.ts';

const LIMITS = { timeoutMs: 500, answerBytesMax: 100 };

interface Station {
  readonly life: ProcessLife;
  readonly transport: Transport;
  readonly heard: string[];
  readonly arrivals: number[];
  readonly connected: Peer[];
  readonly disconnected: Peer[];
}

class Lab {
  readonly machine: Machine;
  readonly network: SimNetwork;
  readonly stations: Station[] = [];

  constructor({
    seed = 1,
    hooks = {},
    conditions = {},
  }: { seed?: number; hooks?: NetworkHooks; conditions?: Partial<NetworkConditions> } = {}) {
    this.machine = new Machine(seed);
    const { random, scheduler, tally, trace } = this.machine;
    this.network = new SimNetwork(hooks, { random: random.fork('network'), scheduler, tally, trace });
    this.network.setConditions({ ...CALM_CONDITIONS, ...conditions });
  }

  /** Starts a process; validators have their number as address. */
  join(node: number, options: { follower?: boolean; request?: TransportHandlers['request']; generation?: number } = {}): Station {
    const life = this.machine.life(node, options.generation ?? 0);
    const transport = this.network.attach(life, options.follower === true ? undefined : Uint8Array.of(node));
    const station: Station = { life, transport, heard: [], arrivals: [], connected: [], disconnected: [] };
    transport.start({
      connected: (peer) => station.connected.push(peer),
      disconnected: (peer) => station.disconnected.push(peer),
      message: (_, frame) => {
        station.heard.push(new TextDecoder().decode(frame));
        station.arrivals.push(this.machine.scheduler.nowMs);
      },
      request: options.request ?? (async (_, frame) => frame),
    });
    this.stations.push(station);
    return station;
  }

  crash(station: Station): void {
    station.life.end();
    this.network.detach(station.life);
  }
}

const peerOf = (station: Station): string => (station.transport.peers()[0] as Peer).id;
const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`);

async function connectedPair(
  options: ConstructorParameters<typeof Lab>[0] & { request?: TransportHandlers['request'] } = {},
): Promise<{ lab: Lab; a: Station; b: Station }> {
  const lab = new Lab(options);
  const a = lab.join(0);
  const b = lab.join(1, options.request === undefined ? {} : { request: options.request });
  await lab.machine.pass(100);
  return { lab, a, b };
}

test('every pair of running processes connects, and each end knows who the other is', async () => {
  const lab = new Lab();
  const stations = [lab.join(0), lab.join(1), lab.join(2, { follower: true })];
  await lab.machine.pass(100);
  for (const station of stations) expect(station.transport.peers()).toHaveLength(2);
  expect((stations[0] as Station).connected.map(({ validator }) => validator?.[0])).toEqual(expect.arrayContaining([1, undefined]));
});

test('frames arrive once each and in order as long as no fault interferes', async () => {
  const { lab, a, b } = await connectedPair({ conditions: { delayMeanMs: 20 } });
  for (const text of numbered(50)) a.transport.send(peerOf(a), utf8(text));
  await lab.machine.pass(1_000);
  expect(b.heard).toEqual(numbered(50));
  expect(Object.values(lab.machine.tally.counts()).every((count) => count === 0)).toBe(true);
});

test('the committee lane reaches validators, the gossip lane everyone else, and no frame comes to anyone twice', async () => {
  const lab = new Lab();
  const [validator, other, follower] = [lab.join(0), lab.join(1), lab.join(2, { follower: true })];
  await lab.machine.pass(100);
  validator.transport.broadcast('committee', utf8('committee'));
  validator.transport.broadcast('gossip', utf8('gossip'));
  follower.transport.broadcast('committee', utf8('never'));
  follower.transport.broadcast('gossip', utf8('from outside'));
  await lab.machine.pass(100);
  expect(other.heard.sort()).toEqual(['committee', 'from outside']);
  expect(follower.heard).toEqual(['gossip']);
  expect(validator.heard).toEqual(['from outside']);
});

test('loss drops frames and counts them', async () => {
  const { lab, a, b } = await connectedPair({ conditions: { lossChance: 0.5 } });
  for (const text of numbered(200)) a.transport.send(peerOf(a), utf8(text));
  await lab.machine.pass(1_000);
  const { frameLost } = lab.machine.tally.counts();
  expect(b.heard).toHaveLength(200 - frameLost);
  expect(frameLost).toBeGreaterThan(50);
});

test('duplication delivers frames twice and counts the second copies', async () => {
  const { lab, a, b } = await connectedPair({ conditions: { duplicateChance: 0.5 } });
  for (const text of numbered(200)) a.transport.send(peerOf(a), utf8(text));
  await lab.machine.pass(1_000);
  const { frameDuplicated } = lab.machine.tally.counts();
  expect(b.heard).toHaveLength(200 + frameDuplicated);
  expect(new Set(b.heard).size).toBe(200);
  expect(frameDuplicated).toBeGreaterThan(50);
});

test('reordering is counted when it took effect', async () => {
  const { lab, a, b } = await connectedPair({ conditions: { reorderChance: 0.3, delayMeanMs: 20 } });
  for (const text of numbered(200)) a.transport.send(peerOf(a), utf8(text));
  await lab.machine.pass(1_000);
  let highest = -1;
  let late = 0;
  for (const text of b.heard) {
    if (Number(text) < highest) late++;
    highest = Math.max(highest, Number(text));
  }
  expect(late).toBeGreaterThan(0);
  expect(lab.machine.tally.counts().frameReordered).toBe(late);
});

test('spikes delay a share of the frames', async () => {
  const { lab, a, b } = await connectedPair({ conditions: { spikeChance: 1, spikeMs: [300, 301] } });
  const sentMs = lab.machine.scheduler.nowMs;
  a.transport.send(peerOf(a), utf8('late'));
  await lab.machine.pass(1_000);
  expect((b.arrivals[0] as number) - sentMs).toBeGreaterThanOrEqual(300);
  expect(lab.machine.tally.counts().frameDelayed).toBe(1);
});

test('a cut connection tells both ends, loses what is on its way, and comes back under another id', async () => {
  const { lab, a, b } = await connectedPair({ conditions: { delayMinMs: 200 } });
  const before = peerOf(a);
  a.transport.send(before, utf8('on its way'));
  lab.network.setReachable(() => false);
  await lab.machine.pass(1_000);
  expect([a.disconnected, b.disconnected].map((peers) => peers.length)).toEqual([1, 1]);
  expect(b.heard).toEqual([]);
  expect(a.transport.peers()).toEqual([]);
  a.transport.send(before, utf8('to nobody'));
  lab.network.setReachable(() => true);
  await lab.machine.pass(1_000);
  expect(peerOf(a)).not.toBe(before);
  expect(b.heard).toEqual([]);
  expect(lab.machine.tally.counts().connectionCut).toBe(1);
});

test('connections are cut at random when the conditions say so, and always come back', async () => {
  const { lab, a } = await connectedPair({ conditions: { cutMeanMs: 500 } });
  await lab.machine.pass(20_000);
  const { connectionCut } = lab.machine.tally.counts();
  expect(connectionCut).toBeGreaterThan(10);
  expect(a.disconnected).toHaveLength(connectionCut);
  lab.network.setConditions(CALM_CONDITIONS);
  await lab.machine.pass(10_000);
  expect(a.transport.peers()).toHaveLength(1);
  expect(lab.machine.tally.counts().connectionCut).toBe(connectionCut);
});

test('frames to a crashed process are lost, frames it had sent may still arrive, and the others see it go', async () => {
  let arrived = 0;
  for (let seed = 0; seed < 20; seed++) {
    const { lab, a, b } = await connectedPair({ seed });
    a.transport.send(peerOf(a), utf8('last words'));
    b.transport.send(peerOf(b), utf8('unheard'));
    lab.crash(a);
    await lab.machine.pass(5_000);
    expect(a.heard).toEqual([]);
    expect(a.disconnected).toEqual([]);
    expect(b.disconnected).toHaveLength(1);
    arrived += b.heard.length;
    lab.join(0, { generation: 1 });
    await lab.machine.pass(100);
    expect(b.transport.peers()).toHaveLength(1);
  }
  expect(arrived).toBeGreaterThan(0);
  expect(arrived).toBeLessThan(20);
});

test('a restarted process may be connected while the others still see its former connection', async () => {
  let both = 0;
  for (let seed = 0; seed < 40 && both === 0; seed++) {
    const { lab, a, b } = await connectedPair({ seed });
    lab.crash(a);
    lab.join(0, { generation: 1 });
    await lab.machine.pass(100);
    if (b.transport.peers().length === 2) both++;
    await lab.machine.pass(5_000);
    expect(b.transport.peers()).toHaveLength(1);
  }
  expect(both).toBeGreaterThan(0);
});

test('a request is answered', async () => {
  const { lab, a } = await connectedPair();
  expect(await lab.machine.finish(a.transport.request(peerOf(a), utf8('question'), LIMITS))).toEqual({ ok: true, value: utf8('question') });
  expect(lab.machine.tally.counts().requestFailed).toBe(0);
});

async function failureOf(
  options: Parameters<typeof connectedPair>[0],
  act?: (lab: Lab) => void,
): Promise<{ code: string; counted: number }> {
  const { lab, a } = await connectedPair(options);
  const asked = a.transport.request(peerOf(a), utf8('question'), LIMITS);
  act?.(lab);
  const result: Result<Uint8Array> = await lab.machine.finish(asked);
  return { code: result.ok ? 'ok' : result.error.code, counted: lab.machine.tally.counts().requestFailed };
}

test('a request fails with a code for each way in which it can', async () => {
  expect(await failureOf({ request: async () => undefined })).toEqual({ code: 'NO_ANSWER', counted: 0 });
  expect(await failureOf({ request: async () => new Uint8Array(101) })).toEqual({ code: 'TOO_LARGE', counted: 1 });
  expect(await failureOf({ request: () => new Promise(() => {}) })).toEqual({ code: 'TIMEOUT', counted: 1 });
  expect(await failureOf({ conditions: { lossChance: 1 } })).toEqual({ code: 'TIMEOUT', counted: 1 });
  expect(await failureOf({}, (lab) => lab.network.setReachable(() => false))).toEqual({ code: 'DISCONNECTED', counted: 1 });
  const { lab, a } = await connectedPair();
  expect(await lab.machine.finish(a.transport.request('c99', utf8('?'), LIMITS))).toMatchObject({
    ok: false,
    error: { code: 'DISCONNECTED' },
  });
});

test('a duplicated request is asked twice and answered once', async () => {
  let asked = 0;
  const { lab, a } = await connectedPair({
    conditions: { duplicateChance: 1 },
    request: async (_, frame) => {
      asked++;
      return frame;
    },
  });
  expect(await lab.machine.finish(a.transport.request(peerOf(a), utf8('question'), LIMITS))).toMatchObject({ ok: true });
  await lab.machine.pass(500);
  expect(asked).toBe(2);
});

test('a handler that rejects breaks the port and fails the run', async () => {
  const { lab, a } = await connectedPair({ request: () => Promise.reject(new Error('planted')) });
  void a.transport.request(peerOf(a), utf8('question'), LIMITS);
  await expect(lab.machine.pass(500)).rejects.toThrow('planted');
});

test('no answer comes from a process that crashed while it was asked', async () => {
  let answer: (bytes: Uint8Array) => void = () => {};
  const { lab, a, b } = await connectedPair({
    request: () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  });
  const asked = a.transport.request(peerOf(a), utf8('question'), { ...LIMITS, timeoutMs: 10_000 });
  await lab.machine.pass(100);
  lab.crash(b);
  answer(utf8('from the grave'));
  expect(await lab.machine.finish(asked)).toMatchObject({ ok: false, error: { code: 'DISCONNECTED' } });
});

test('frames are observed as they leave: a broadcast once, before any loss', async () => {
  const seen: OutgoingFrame[] = [];
  const { lab, a } = await connectedPair({ hooks: { observe: (frame) => seen.push(frame) }, conditions: { lossChance: 1 } });
  lab.join(2);
  await lab.machine.pass(100);
  a.transport.broadcast('committee', utf8('all'));
  a.transport.send(peerOf(a), utf8('one'));
  void a.transport.request(peerOf(a), utf8('question'), LIMITS);
  expect(seen.map(({ from, to, kind }) => ({ from, to, kind }))).toEqual([
    { from: 0, to: -1, kind: 'message' },
    { from: 0, to: 1, kind: 'message' },
    { from: 0, to: 1, kind: 'request' },
  ]);
  expect(() => a.transport.send(peerOf(a), new Uint8Array(FRAME_BYTES_MAX + 1))).toThrow(/more than any peer reads/);
});

test('an interposed sender alters, delays, adds or swallows its frames', async () => {
  const now = (bytes: Uint8Array): InterposedFrame => ({ bytes, delayMs: 0 });
  const interpose = ({ from, bytes }: OutgoingFrame): InterposedFrame[] =>
    from === 0 ? [now(utf8('altered')), { bytes: utf8('late'), delayMs: 500 }] : bytes.length > 3 ? [] : [now(bytes)];
  const { lab, a, b } = await connectedPair({ hooks: { interpose } });
  a.transport.send(peerOf(a), utf8('original'));
  b.transport.send(peerOf(b), utf8('swallowed'));
  b.transport.send(peerOf(b), utf8('ok'));
  await lab.machine.pass(100);
  expect(b.heard).toEqual(['altered']);
  expect(a.heard).toEqual(['ok']);
  await lab.machine.pass(500);
  expect(b.heard).toEqual(['altered', 'late']);
});

test('a receiver whose frames are tampered with sees what is left of them', async () => {
  const accept = ({ to, bytes }: OutgoingFrame): Uint8Array | null => (to === 0 ? null : bytes.subarray(0, 2));
  const { lab, a, b } = await connectedPair({ hooks: { accept } });
  a.transport.send(peerOf(a), utf8('original'));
  b.transport.send(peerOf(b), utf8('swallowed'));
  await lab.machine.pass(100);
  expect(b.heard).toEqual(['or']);
  expect(a.heard).toEqual([]);
});

// @mutation packages/simulator/src/sim-network.ts
// - if (!this.#carries(route.from, route.to)) {
// + if (!this.#carries(route.to, route.from)) {
test('a one-way partition loses what is sent that way and keeps the connection', async () => {
  const { lab, a, b } = await connectedPair({});
  lab.network.setCarries((from) => from !== 0);
  a.transport.send(peerOf(a), utf8('lost'));
  b.transport.send(peerOf(b), utf8('heard'));
  await lab.machine.pass(100);
  expect([a.heard, b.heard]).toEqual([['heard'], []]);
  expect(lab.machine.tally.counts()).toMatchObject({ framePartitioned: 1, connectionCut: 0 });
});

test('a frame between distant nodes takes at least that long', async () => {
  const { lab, a, b } = await connectedPair({});
  lab.network.setDistances(() => 80);
  a.transport.send(peerOf(a), utf8('far'));
  await lab.machine.pass(80);
  expect(b.heard).toEqual([]);
  await lab.machine.pass(50);
  expect(b.heard).toEqual(['far']);
});

test('a message that its process knows nothing of arrives like any other', async () => {
  const { lab, a, b } = await connectedPair({});
  lab.network.inject(0, 1, utf8('injected'));
  lab.network.inject(0, 7, utf8('to nobody'));
  await lab.machine.pass(100);
  expect([a.heard, b.heard]).toEqual([[], ['injected']]);
});

test('enough reports of broken rules end a connection', async () => {
  const reports: string[] = [];
  const { lab, a } = await connectedPair({ hooks: { penalized: (by, peer, { code }) => reports.push(`${by} ${peer} ${code}`) } });
  const before = peerOf(a);
  for (let i = 0; i < 20; i++) a.transport.penalize(before, { code: 'RULE_BROKEN' });
  a.transport.penalize('c99', { code: 'RULE_BROKEN' });
  await lab.machine.pass(5_000);
  expect(reports).toEqual(Array.from({ length: 20 }, () => '0 1 RULE_BROKEN'));
  expect(peerOf(a)).not.toBe(before);
});

test('a transport is started once, used after that, and not by a dead process', async () => {
  const lab = new Lab();
  const life = lab.machine.life();
  const transport = lab.network.attach(life, undefined);
  expect(() => transport.peers()).toThrow(/started/);
  const handlers: TransportHandlers = { connected: () => {}, disconnected: () => {}, message: () => {}, request: async () => undefined };
  transport.start(handlers);
  expect(() => transport.start(handlers)).toThrow(/once/);
  life.end();
  lab.network.detach(life);
  lab.network.detach(life);
  expect(() => transport.broadcast('gossip', utf8('x'))).toThrow(/after its crash/);
});

test('the trace tells two runs apart that differ in one byte, and agrees for equal ones', async () => {
  const traceOf = async (text: string): Promise<string> => {
    const { lab, a } = await connectedPair();
    a.transport.send(peerOf(a), utf8(text));
    await lab.machine.pass(100);
    return Buffer.from(lab.machine.trace.hash()).toString('hex');
  };
  expect(await traceOf('same')).toBe(await traceOf('same'));
  expect(await traceOf('same')).not.toBe(await traceOf('samf'));
});
