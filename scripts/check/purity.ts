import { lineOf, parse, type SourceFile, type SyntaxNode, type Violation, walk } from './source-file.ts';

/** Packages whose `src` decides by its input alone, so that every replica and every replay decides the same. */
const PURE_PACKAGES: readonly string[] = ['consensus', 'sharding', 'health'];

const CLOCK = 'time is a parameter here';
const RANDOMNESS = 'randomness is a parameter here';
const OUTSIDE = 'the outside is reached through what the caller carries out';
const SCHEDULING = 'nothing happens later here; say in the output what is to be scheduled';

/** Globals that a pure package may not name, and why. */
const FORBIDDEN: Readonly<Record<string, string>> = {
  Date: CLOCK,
  performance: CLOCK,
  Temporal: CLOCK,
  crypto: RANDOMNESS,
  setTimeout: SCHEDULING,
  setInterval: SCHEDULING,
  setImmediate: SCHEDULING,
  queueMicrotask: SCHEDULING,
  process: OUTSIDE,
  console: OUTSIDE,
  fetch: OUTSIDE,
  WebSocket: OUTSIDE,
  globalThis: OUTSIDE,
  require: OUTSIDE,
  WeakRef: 'when it empties is up to the garbage collector',
  FinalizationRegistry: 'when it runs is up to the garbage collector',
  Intl: 'its results depend on the machine',
};

const FORBIDDEN_MEMBERS: Readonly<Record<string, string>> = {
  'Math.random': RANDOMNESS,
  'Promise.withResolvers': SCHEDULING,
};

/** ECMA-262 leaves the precision of these to the engine, so two nodes may differ in the last bit. */
const INEXACT_MATH = /^(a?(sin|cos|tan)h?|atan2|exp|expm1|log|log2|log10|log1p|pow|cbrt|hypot)$/;

/** @returns every clock, timer, source of randomness, promise of later and way to the outside that the file names */
export function findImpurities(file: SourceFile): Violation[] {
  const violations: Violation[] = [];
  walk(parse(file), (node, parent, role) => {
    const found = impurity(node, parent, role);
    if (found !== undefined) violations.push({ path: file.path, line: lineOf(file, node), message: `${found[0]}: ${found[1]}` });
  });
  return violations;
}

export function isPure(path: string): boolean {
  const [top, name = '', area] = path.split('/');
  return top === 'packages' && area === 'src' && PURE_PACKAGES.includes(name);
}

function impurity(node: SyntaxNode, parent: SyntaxNode | undefined, role: string): readonly [what: string, why: string] | undefined {
  if (node.type === 'MemberExpression') return memberImpurity(node);
  if (node.type === 'NewExpression' && nameOf(node.callee) === 'Promise') return ['new Promise', SCHEDULING];
  const name = nameOf(node);
  if (name === undefined || !Object.hasOwn(FORBIDDEN, name) || isPropertyName(parent, role)) return undefined;
  return [name, FORBIDDEN[name] as string];
}

function memberImpurity(node: SyntaxNode): readonly [string, string] | undefined {
  const object = nameOf(node.object);
  const property = node.computed === true ? undefined : nameOf(node.property);
  if (object === undefined || property === undefined) return undefined;
  const member = `${object}.${property}`;
  if (Object.hasOwn(FORBIDDEN_MEMBERS, member)) return [member, FORBIDDEN_MEMBERS[member] as string];
  if (object === 'Math' && INEXACT_MATH.test(property)) return [member, 'its last bit is up to the engine'];
  return undefined;
}

function nameOf(node: unknown): string | undefined {
  const { type, name } = node as SyntaxNode;
  return type === 'Identifier' && typeof name === 'string' ? name : undefined;
}

/** `a.process`, `{ process: 1 }` and `process(): void` in a type name a property, not the global. */
function isPropertyName(parent: SyntaxNode | undefined, role: string): boolean {
  return (
    parent?.computed !== true && (role === 'property' || role === 'key' || role === 'imported' || role === 'exported' || role === 'label')
  );
}
