import { expect, test } from 'vitest';
import { AssertionError, assert, fail, NacreError, ok, unreachable } from '../src/index.ts';

// @mutation packages/base/src/assert.ts
// - if (!condition) throw
// + if (condition === null) throw
test('a broken invariant throws, whatever kind of falsy it is', () => {
  for (const falsy of [false, 0, '', null, undefined, Number.NaN, 0n]) {
    expect(() => assert(falsy, 'height is positive')).toThrow(new AssertionError('height is positive'));
  }
});

test('a kept invariant is silent', () => {
  for (const truthy of [true, 1, 'a', [], {}]) assert(truthy, 'never seen');
});

test('a branch that the types rule out says which value reached it', () => {
  expect(() => unreachable({ kind: 'other' } as never)).toThrow(new AssertionError('unreachable: {"kind":"other"}'));
});

test('an assertion is told from a typed error by its class and name', () => {
  const bug = new AssertionError('broken');
  expect(bug).not.toBeInstanceOf(NacreError);
  expect(bug.name).toBe('AssertionError');
});

test('a typed error carries its code, its fields, what to do, and its cause', () => {
  const cause = new Error('EACCES');
  const error = new NacreError('STORE_LOCKED', 'another process holds the store', {
    fields: { path: 'data' },
    hint: 'Stop it first.',
    cause,
  });
  expect(error).toMatchObject({ name: 'NacreError', code: 'STORE_LOCKED', fields: { path: 'data' }, hint: 'Stop it first.', cause });
});

// @mutation packages/base/src/errors.ts
// - options.cause === undefined ? undefined : { cause: options.cause }
// + { cause: options.cause }
test('a typed error without details has no fields, no hint and no cause', () => {
  const error = new NacreError('KEY_MISSING', 'no key file');
  expect(error).toMatchObject({ message: 'no key file', fields: {}, hint: undefined });
  expect('cause' in error).toBe(false);
});

test('an outcome is a value or an error, told apart by one field', () => {
  expect(ok(7)).toEqual({ ok: true, value: 7 });
  expect(fail({ code: 'VOTE_STALE', height: 3 })).toEqual({ ok: false, error: { code: 'VOTE_STALE', height: 3 } });
});
