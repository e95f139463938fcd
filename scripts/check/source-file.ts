import { parseAst } from 'vitest/node';

export interface SourceFile {
  /** Relative to the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Violation {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

/** A node of the syntax tree: ESTree, and `TS…` types for what TypeScript adds. */
export interface SyntaxNode {
  readonly type: string;
  /** Offset in the text. */
  readonly start: number;
  readonly [property: string]: unknown;
}

/** @throws {Error} when the text does not parse */
export function parse(file: SourceFile): SyntaxNode {
  // oxlint-disable-next-line typescript/no-deprecated -- its successor is exported by vite alone, which is not ours to import
  return parseAst(file.text, { lang: 'ts' }) as unknown as SyntaxNode;
}

export function lineOf(file: SourceFile, node: SyntaxNode): number {
  return file.text.slice(0, node.start).split('\n').length;
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && typeof (value as SyntaxNode).type === 'string';
}

/** Visits `node` and everything below it. `role` is the property of `parent` in which the node stands. */
export function walk(
  node: SyntaxNode,
  visit: (node: SyntaxNode, parent: SyntaxNode | undefined, role: string) => void,
  parent?: SyntaxNode,
  role = '',
): void {
  visit(node, parent, role);
  for (const [property, value] of Object.entries(node)) {
    for (const child of Array.isArray(value) ? (value as unknown[]) : [value]) if (isNode(child)) walk(child, visit, node, property);
  }
}

export interface ModuleReference {
  /** What stands between the quotes; undefined when it is computed and cannot be checked. */
  readonly specifier: string | undefined;
  readonly line: number;
}

const WITH_SOURCE = /^(ImportDeclaration|ImportExpression|ExportNamedDeclaration|ExportAllDeclaration|TSImportType)$/;

/** Every import and re-export of a file, types and dynamic imports included. */
export function moduleReferences(file: SourceFile): ModuleReference[] {
  const references: ModuleReference[] = [];
  walk(parse(file), (node) => {
    const source = WITH_SOURCE.test(node.type) ? node.source : undefined;
    if (!isNode(source)) return;
    const specifier = source.type === 'Literal' && typeof source.value === 'string' ? source.value : undefined;
    references.push({ specifier, line: lineOf(file, node) });
  });
  return references;
}
