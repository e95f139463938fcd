import { Committee, type Validator } from '@nacre/consensus';
import { describe, expect, test } from 'vitest';
import { InstanceGuard } from '../src/instance-guard.ts';

function validator(byte: number, weight = 1): Validator {
  return { address: new Uint8Array(32).fill(byte), publicKey: new Uint8Array(64).fill(byte), weight };
}

function committeeOf(validators: readonly Validator[]): Committee {
  const created = Committee.create(validators, { allowLargeWeights: true });
  if (!created.ok) throw new Error(created.error.code);
  return created.value;
}

const validators = [validator(1), validator(2), validator(3), validator(4)];
const committee = committeeOf(validators);
const addressOf = (index: number): Uint8Array => (validators[index] as Validator).address;
const instance = (byte: number): Uint8Array => new Uint8Array(16).fill(byte);

describe('instance guard', () => {
  // @mutation packages/replica/src/instance-guard.ts
  // - 2 * committee.weightOf(others) > otherWeight;
  // + 2 * committee.weightOf(others) >= 0;
  test('a validator votes only with more than half of the other weight behind its instance', () => {
    const guard = new InstanceGuard(addressOf(0), instance(9));
    expect(guard.mayVote(committee)).toBe(false);
    guard.acknowledged('a', addressOf(1));
    expect(guard.mayVote(committee)).toBe(false);
    guard.acknowledged('b', addressOf(2));
    expect(guard.mayVote(committee)).toBe(true);
  });

  // @mutation packages/replica/src/instance-guard.ts
  // - 2 * committee.weightOf(others) > otherWeight;
  // + 2 * committee.weightOf(others) >= otherWeight;
  test('exactly half of the other weight is not enough: two halves need not overlap', () => {
    const three = committeeOf([validator(1), validator(2), validator(3)]);
    const guard = new InstanceGuard(addressOf(0), instance(9));
    guard.acknowledged('a', addressOf(1));
    expect(guard.mayVote(three)).toBe(false);
  });

  test('one validator on two connections counts once, and our own key not at all', () => {
    const guard = new InstanceGuard(addressOf(0), instance(9));
    guard.acknowledged('a', addressOf(1));
    guard.acknowledged('b', addressOf(1));
    guard.acknowledged('c', addressOf(0));
    expect(guard.mayVote(committee)).toBe(false);
  });

  // @mutation packages/replica/src/instance-guard.ts
  // - return otherWeight === 0 || 2
  // + return 2
  test('a validator that is alone needs nobody', () => {
    expect(new InstanceGuard(addressOf(0), instance(9)).mayVote(committeeOf([validator(1)]))).toBe(true);
  });

  test('a follower never votes', () => {
    const guard = new InstanceGuard(null, instance(9));
    for (const [i, { address }] of validators.entries()) guard.acknowledged(`p${i}`, address);
    expect(guard.mayVote(committee)).toBe(false);
  });

  // @mutation packages/replica/src/instance-guard.ts
  // - this.#acknowledgedBy.delete(peerId);
  // +
  test('an acknowledgement ends with its connection', () => {
    const guard = new InstanceGuard(addressOf(0), instance(9));
    guard.acknowledged('a', addressOf(1));
    guard.acknowledged('b', addressOf(2));
    guard.disconnected('b');
    expect(guard.mayVote(committee)).toBe(false);
  });

  // @mutation packages/replica/src/instance-guard.ts
  // - if (live !== undefined && live.peerId !== peerId && !bytesEqual(live.instance, instance)) return false;
  // +
  test('a second instance of one key is refused while the first is connected', () => {
    const guard = new InstanceGuard(addressOf(0), instance(9));
    expect(guard.claim('first', addressOf(1), instance(1))).toBe(true);
    expect(guard.claim('second', addressOf(1), instance(2))).toBe(false);
    expect(guard.claim('first', addressOf(1), instance(1))).toBe(true);
  });

  // @mutation packages/replica/src/instance-guard.ts
  // - for (const [key, live] of this.#live) if (live.peerId === peerId) this.#live.delete(key);
  // +
  test('the next instance of a key is acknowledged once the connection of the first has ended', () => {
    const guard = new InstanceGuard(addressOf(0), instance(9));
    guard.claim('first', addressOf(1), instance(1));
    guard.disconnected('first');
    expect(guard.claim('second', addressOf(1), instance(2))).toBe(true);
  });

  // @mutation packages/replica/src/instance-guard.ts
  // - if (ourselves) return false;
  // + if (ourselves) return true;
  test('nobody else is acknowledged for our own key', () => {
    expect(new InstanceGuard(addressOf(0), instance(9)).claim('twin', addressOf(0), instance(1))).toBe(false);
  });
});
