import { keyIdOf } from '@nacre/ledger';
import { describe, expect, test } from 'vitest';
import { EpochChain } from './support/epoch-chain.ts';

describe('a rotated key', () => {
  async function rotated() {
    const chain = await EpochChain.create({ parameters: { validityWindowMs: 60_000 } });
    const before = chain.validator(0);
    const after = { ...chain.key('next'), address: before.address };
    const create = (name: string) => ({ kind: 'account.create', publicKey: chain.key(name).signer.publicKey }) as const;
    const waiting = await chain.transaction(before, [create('waiting')]);
    expect(await chain.run(before, await chain.rotation(before, after))).toBeNull();
    return { chain, before, after, create, waiting };
  }

  test('signs from the next block on, under the same address', async () => {
    const { chain, after, create } = await rotated();
    expect(chain.ledger.account(after.address)?.publicKey).toEqual(after.signer.publicKey);
    expect(await chain.run(after, create('a'))).toBeNull();
  });

  // @mutation packages/ledger/src/block-execution.ts
  // - const outcome = isRetired ? this.#fail({ code: 'KEY_RETIRED', operation: 0 }) : this.#run(transaction, sponsor);
  // + const outcome = this.#run(transaction, sponsor);
  // @mutation packages/ledger/src/account-keys.ts
  // - if (retired === null || validUntilMs > retired.untilMs ||
  // + if (retired === null || validUntilMs > 0 ||
  test('leaves what the old one signed before an end: it fails', async () => {
    const { chain, waiting } = await rotated();
    expect(chain.ledger.admissible(waiting, chain.nextTimeMs)).toMatchObject({ ok: false, error: { code: 'KEY_RETIRED' } });
    expect(chain.ledger.includable(waiting, chain.nextTimeMs)).toMatchObject({ ok: true });
    expect(await chain.ledger.verifySignatures([waiting])).toEqual([true]);
    expect(await chain.decide([waiting])).toEqual(['KEY_RETIRED']);
    expect(chain.ledger.account(chain.key('waiting').address)).toBeUndefined();
  });

  // @mutation packages/ledger/src/account-keys.ts
  // - validUntilMs > retired.untilMs ||
  // + validUntilMs > retired.untilMs + 1 ||
  test('lets nothing in that the old one cannot have signed in its time', async () => {
    const { chain, before, create } = await rotated();
    const untilMs = chain.ledger.account(before.address)?.retired?.untilMs as number;
    expect(untilMs).toBe(chain.ledger.tip.timeMs + 60_000);
    const [last, late] = await Promise.all([untilMs, untilMs + 1].map((until) => chain.transaction(before, [create('a')], until)));
    expect(chain.ledger.includable(last as never, chain.nextTimeMs)).toMatchObject({ ok: true });
    expect(chain.ledger.includable(late as never, chain.nextTimeMs)).toMatchObject({ ok: false, error: { code: 'KEY_UNKNOWN' } });
    expect(await chain.ledger.verifySignatures([late as never])).toEqual([false]);
  });

  // @mutation packages/ledger/src/rotate-key.ts
  // - if (retired !== null && timeMs <= retired.untilMs) return
  // + if (retired !== null && timeMs < retired.untilMs) return
  test('can be rotated again when nothing of the key before can wait any more', async () => {
    const { chain, after } = await rotated();
    const third = { ...chain.key('third'), address: after.address };
    const rotation = await chain.rotation(after, third);
    const untilMs = chain.ledger.account(after.address)?.retired?.untilMs as number;
    const [early, due] = await Promise.all([0, 1].map(() => chain.transaction(after, [rotation], untilMs + 10)));
    expect(await chain.decide(early && [early], { timeMs: untilMs })).toEqual(['KEY_ROTATED_LATELY']);
    expect(await chain.decide(due && [due], { timeMs: untilMs + 1 })).toEqual([null]);
    expect(chain.ledger.account(after.address)?.retired?.publicKey).toEqual(after.signer.publicKey);
  });

  // @mutation packages/ledger/src/verify-transaction.ts
  // - return verifyPossession({ ...operation, address: account, purpose: 'rotate' }, verifying);
  // + return verifyPossession({ ...operation, address: account, purpose: 'rotate' }, verifying).then(() => true);
  // @mutation packages/ledger/src/account-keys.ts
  // - return taggedHash(POSSESSION_TAG, genesisHash, PURPOSE[purpose], address);
  // + return taggedHash(POSSESSION_TAG, genesisHash, address);
  test('is proven to be held by whoever registers it, for this account and this purpose', async () => {
    const chain = await EpochChain.create();
    const [owner, other] = [chain.validator(0), chain.validator(1)];
    const next = chain.key('next');
    const { publicKey } = next.signer;
    const rotate = (proofOfPossession: Uint8Array) => chain.transaction(owner, [{ kind: 'key.rotate', publicKey, proofOfPossession }]);
    const good = await chain.possession(publicKey, owner.address, 'rotate');
    const transactions = await Promise.all([
      rotate(good),
      rotate(good.toReversed()),
      rotate(await chain.possession(publicKey, other.address, 'rotate')),
      rotate(await chain.possession(publicKey, owner.address, 'join')),
      rotate(await chain.possession(owner.signer.publicKey, owner.address, 'rotate')),
    ]);
    expect(await chain.ledger.verifySignatures(transactions)).toEqual([true, false, false, false, false]);
  });

  // @mutation packages/ledger/src/rotate-key.ts
  // - overlay.set(REGISTRY, null, withMember(registry, { ...member, publicKey }));
  // + overlay.set(REGISTRY, null, withMember(registry, member));
  test('votes two epochs later', async () => {
    const { chain, before, after } = await rotated();
    const keys = [];
    for (const epoch of [0, 1, 2]) {
      await chain.enter(epoch);
      const committee = chain.ledger.committeeAt(chain.ledger.tip.height + 1);
      keys.push(committee.validator(committee.indexOf(before.address) as number).publicKey);
    }
    expect(keys).toEqual([before.signer.publicKey, before.signer.publicKey, after.signer.publicKey]);
    await chain.decide();
  });

  // @mutation packages/ledger/src/rotate-key.ts
  // - if (isKeyTaken(registry, { address, publicKey })) return
  // + if (publicKey.length === 0) return
  // @mutation packages/ledger/src/rotate-key.ts
  // - if (bytesEqual(keyIdOf(publicKey), keyIdOf(account.publicKey))) return
  // + if (publicKey.length === 0) return
  test('is nobody else’s, and not the old one', async () => {
    const chain = await EpochChain.create();
    const [owner, other] = [chain.validator(0), chain.validator(1)];
    expect(await chain.run(owner, await chain.rotation(owner, other))).toBe('KEY_IN_USE');
    expect(await chain.run(owner, await chain.rotation(owner, owner))).toBe('KEY_IN_USE');
  });

  // @mutation packages/ledger/src/decide-change.ts
  // - return isKeyTaken(registry, { address, publicKey }) ?
  // + return publicKey.length === 0 ?
  test('of an account that joins is not one that a validator has taken', async () => {
    const chain = await EpochChain.create();
    const [owner, joiner, shared] = [chain.validator(0), chain.key('joiner'), chain.key('shared')];
    await chain.run(owner, { kind: 'account.create', publicKey: joiner.signer.publicKey });
    expect(await chain.run(owner, await chain.rotation(owner, shared))).toBeNull();
    expect(await chain.run(joiner, await chain.rotation(joiner, shared))).toBeNull();
    const change = { kind: 'validator.join', address: joiner.address, publicKey: shared.signer.publicKey, weight: 10 } as const;
    expect(await chain.run(chain.validator(1), await chain.proposing(change))).toBe('KEY_IN_USE');
  });

  test('has an id that the signed contents name', async () => {
    const { after, waiting } = await rotated();
    expect(waiting.contents.keyId).not.toEqual(keyIdOf(after.signer.publicKey));
    expect(keyIdOf(after.signer.publicKey)).toHaveLength(8);
  });
});
