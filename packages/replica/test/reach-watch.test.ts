import { toHex } from '@nacre/base';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Puppet } from './support/puppet.ts';
import { type Actor, Stage } from './support/stage.ts';

let stage: Stage;
let actor: Actor;
let puppets: Puppet[];
let ids: string[];

beforeEach(async () => {
  stage = await Stage.create();
  ({ actor, puppets } = await stage.replicaAmongPuppets(0));
  ids = [...stage.chain.keys.keys()].map((index) => toHex(stage.chain.key(index).address));
});

/** Lets those puppets say every 200 ms whom they hear, by their places in the committee. */
async function run(ms: number, words: Readonly<Record<number, readonly number[]>>): Promise<void> {
  for (let passed = 0; passed < ms; passed += 200) {
    for (const [index, heard] of Object.entries(words)) puppets[Number(index) - 1]?.say({ kind: 'reach', epoch: 0, heard });
    await stage.clock.run(200);
  }
}

const WHOLE = { 1: [0, 2, 3], 2: [0, 1, 3], 3: [0, 1, 2] };
const told = (): (readonly number[])[] =>
  stage.messagesOf(actor.name).flatMap((message) => (message.kind === 'reach' ? [message.heard] : []));
/** Of each side: who stands on it. */
const sides = (): number[][] => actor.replica.reach.sides.map(({ members }) => members.map((id) => ids.indexOf(id)));

describe('a validator', () => {
  // @mutation packages/replica/src/reach-watch.ts
  // - const heard = this.#detector.heard().map((id) => places.get(id) as number);
  // + const heard = [...places.values()];
  test('says every 200 ms whom it hears, and nothing of the others', async () => {
    await run(2_000, { 1: [0], 3: [0] });
    const words = told();
    // On both lanes each.
    expect(words.length).toBeGreaterThanOrEqual(16);
    expect(words.length).toBeLessThanOrEqual(24);
    expect(words.at(-1)).toEqual([1, 3]);
  });

  test('names the sides when some fall silent, tells it, and remembers it', async () => {
    const events: string[] = [];
    actor.replica.reach.onPartition(({ kind }) => events.push(kind));
    await run(4_000, WHOLE);
    expect(sides()).toEqual([[0, 1, 2, 3]]);
    await run(2_000, { 1: [0] });
    expect(sides()).toEqual([
      [0, 1],
      [2, 3],
    ]);
    await run(2_000, WHOLE);
    expect(events).toEqual(['partitioned', 'merged']);
    expect(actor.replica.reach.history).toHaveLength(1);
    expect(stage.events.filter((event) => event.includes('network '))).toEqual(['warn network partitioned', 'info network merged']);
  });

  // @mutation packages/replica/src/inbox.ts
  // - view.heard = true;
  // +
  test('takes whatever a peer sends for a sign of life', async () => {
    await run(4_000, WHOLE);
    for (let i = 0; i < 10; i++) {
      for (const puppet of puppets) puppet.say({ kind: 'transactions', bodies: [] });
      await stage.clock.run(200);
    }
    expect(sides()).toEqual([[0, 1, 2, 3]]);
  });
});

describe('a word about reachability', () => {
  // @mutation packages/replica/src/reach-watch.ts
  // - if (heard.some((index) => index >= validators.length)) return penalize(peer.id, { code: 'REACH_INVALID', epoch });
  // + if (heard.some((index) => index >= validators.length)) return;
  test('that names places which the committee has not costs its sender', async () => {
    puppets[0]?.say({ kind: 'reach', epoch: 0, heard: [0, 4] });
    await stage.clock.run(5);
    expect(stage.penaltiesOf(actor)).toEqual([{ against: puppets[0]?.name, code: 'REACH_INVALID' }]);
  });

  // @mutation packages/replica/src/reach-watch.ts
  // - if (peer.validator === undefined || current?.epoch !== epoch) return;
  // + if (peer.validator === undefined) return;
  test('of another epoch names others by its places, and only shows that its sender lives', async () => {
    await run(4_000, WHOLE);
    for (let i = 0; i < 10; i++) {
      for (const puppet of puppets) puppet.say({ kind: 'reach', epoch: 7, heard: [] });
      await stage.clock.run(200);
    }
    expect(sides()).toEqual([[0, 1, 2, 3]]);
  });

  test('of a follower counts for nobody', async () => {
    const follower = stage.puppet(null, 'follower');
    stage.hub.connect(actor.name, 'follower');
    await run(4_000, WHOLE);
    for (let i = 0; i < 10; i++) {
      follower.say({ kind: 'reach', epoch: 0, heard: [0, 1, 2, 3] });
      await run(200, { 1: [0] });
    }
    expect(sides()).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(stage.penaltiesOf(actor)).toEqual([]);
  });
});

test('a follower says nothing, and sees the sides of those whom it hears', async () => {
  const follower = await stage.start({ validator: null, name: 'follower' });
  for (const puppet of puppets) stage.hub.connect('follower', puppet.name);
  await run(4_000, { 1: [2], 2: [1], 3: [] });
  expect(follower.replica.reach.heard).toHaveLength(3);
  const seen = follower.replica.reach.sides.map(({ members }) => members.map((id) => ids.indexOf(id)));
  expect(seen).toEqual([[1, 2], [3], [0]]);
  expect(stage.messagesOf('follower').some(({ kind }) => kind === 'reach')).toBe(false);
});
