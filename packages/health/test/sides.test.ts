import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Reachability, sidesOf } from '../src/sides.ts';

const FOUR = ['a', 'b', 'c', 'd'];

interface Words {
  readonly ids?: readonly string[];
  readonly self?: string | null;
  readonly heard: string;
  readonly claims?: Readonly<Record<string, string>>;
}

/** Members of one letter and weight 1000 each; who hears whom as texts of letters. */
function network({ ids = FOUR, self = 'a', heard, claims = {} }: Words): Reachability {
  return {
    members: ids.map((id) => ({ id, weight: 1000 })),
    self,
    heard: new Set(heard),
    claims: new Map(Object.entries(claims).map(([id, reached]) => [id, new Set(reached)])),
  };
}

const shape = (words: Words): string[] =>
  sidesOf(network(words)).map(({ members, own, reached, mayDecide }) => {
    return `${members.join('')}${own ? ' own' : ''}${reached ? '' : ' unreached'}${mayDecide ? ' decides' : ''}`;
  });

describe('the sides', () => {
  test('are one where everybody hears everybody', () => {
    expect(shape({ heard: 'bcd', claims: { b: 'acd', c: 'abd', d: 'abc' } })).toEqual(['abcd own decides']);
  });

  test('three and one: the three may decide', () => {
    expect(shape({ heard: 'bc', claims: { b: 'ac', c: 'ab' } })).toEqual(['abc own decides', 'd unreached']);
    expect(shape({ heard: '' })).toEqual(['a own', 'bcd unreached decides']);
  });

  // @mutation packages/health/src/sides.ts
  // - mayDecide: 3 * weight > 2 * totalWeight,
  // + mayDecide: 2 * weight >= totalWeight,
  test('two halves: neither may decide', () => {
    expect(shape({ heard: 'b', claims: { b: 'a' } })).toEqual(['ab own', 'cd unreached']);
  });

  // @mutation packages/health/src/sides.ts
  // - mayDecide: 3 * weight > 2 * totalWeight,
  // + mayDecide: 3 * weight >= 2 * totalWeight,
  test('exactly two thirds of the weight decide nothing', () => {
    expect(shape({ ids: ['a', 'b', 'c'], heard: 'b', claims: { b: 'a' } })).toEqual(['ab own', 'c unreached']);
  });

  // @mutation packages/health/src/sides.ts
  // - if (!here.has(other)) return wordOf(one)?.has(other) === true;
  // + if (!here.has(other)) return false;
  test('hold whom only others hear', () => {
    expect(shape({ heard: 'bc', claims: { b: 'acd', c: 'ab' } })).toEqual(['abcd own decides']);
  });

  // @mutation packages/health/src/sides.ts
  // - return wordOf(one)?.has(other) !== false && wordOf(other)?.has(one) !== false;
  // + return true;
  test('part whoever is heard and hears nobody: what it is sent is lost', () => {
    expect(shape({ heard: 'bcd', claims: { b: 'acd', c: 'abd', d: '' } })).toEqual(['abc own decides', 'd']);
  });

  test('join those who have not said yet whom they hear', () => {
    expect(shape({ heard: 'bcd' })).toEqual(['abcd own decides']);
  });

  test('are named to an observer without weight, too, which stands on none', () => {
    expect(shape({ self: null, heard: 'abcd', claims: { a: 'b', b: 'a', c: 'd', d: 'c' } })).toEqual(['ab', 'cd']);
  });
});

describe('small groups', () => {
  const ids = 'abcdefghijklmnopqrstu'.split('');
  const without = (lost: string): string => ids.filter((id) => !lost.includes(id)).join('');

  // @mutation packages/health/src/sides.ts
  // - .filter(({ own, members: { length } }) => own || SIDE_SHARE_DIVISOR * length >= members.length)
  // +
  test('below a tenth of the members are no sides', () => {
    expect(shape({ ids, heard: without('atu') })).toEqual([`${without('tu')} own decides`]);
    expect(shape({ ids, heard: without('astu') })).toEqual([`${without('stu')} own decides`, 'stu unreached']);
  });

  // @mutation packages/health/src/sides.ts
  // - own || SIDE_SHARE_DIVISOR * length
  // + SIDE_SHARE_DIVISOR * length
  test('know nevertheless that they are cut off', () => {
    expect(shape({ ids, heard: '' })).toEqual(['a own', `${without('a')} unreached decides`]);
  });
});

test('property: with true words, a side is whoever is at most two links away; all others are one', () => {
  const graph = fc
    .integer({ min: 1, max: 9 })
    .chain((size) =>
      fc.record({ size: fc.constant(size), cut: fc.array(fc.boolean(), { minLength: size * size, maxLength: size * size }) }),
    );
  fc.assert(
    fc.property(graph, ({ size, cut }) => {
      const ids = 'abcdefghi'.slice(0, size).split('');
      const linked = (i: number, j: number): boolean => i !== j && cut[Math.min(i, j) * size + Math.max(i, j)] === false;
      const heardBy = (i: number): string => ids.filter((_, j) => linked(i, j)).join('');
      const claims = Object.fromEntries(ids.map((id, i) => [id, heardBy(i)]).filter(([id]) => heardBy(0).includes(id as string)));
      const near = ids.filter((_, j) => j === 0 || linked(0, j) || ids.some((__, k) => linked(0, k) && linked(k, j)));
      const far = ids.filter((id) => !near.includes(id));
      const sides = sidesOf(network({ ids, heard: heardBy(0), claims })).map(({ members }) => members);
      expect(sides).toEqual(far.length === 0 ? [near] : [near, far]);
    }),
    { numRuns: 300 },
  );
});

test('property: every member stands on one side at most, and only one side may decide', () => {
  const words = fc.record({
    heard: fc.uniqueArray(fc.constantFrom(...'bcdef'.split(''))),
    claims: fc.dictionary(fc.constantFrom(...'bcdef'.split('')), fc.array(fc.constantFrom(...'abcdef'.split('')))),
  });
  fc.assert(
    fc.property(words, ({ heard, claims }) => {
      const told = Object.fromEntries(Object.entries(claims).map(([id, reached]) => [id, reached.join('')]));
      const sides = sidesOf(network({ ids: 'abcdef'.split(''), heard: heard.join(''), claims: told }));
      const all = sides.flatMap(({ members }) => members);
      expect(new Set(all)).toEqual(new Set('abcdef'.split('')));
      expect(all).toHaveLength(6);
      expect(sides.filter(({ mayDecide }) => mayDecide).length).toBeLessThanOrEqual(1);
    }),
    { numRuns: 300 },
  );
});
