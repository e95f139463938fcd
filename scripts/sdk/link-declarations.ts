/**
 * The declaration files that the types of a published package need, out of those that the compiler wrote for the whole house.
 *
 * Packages import one another by their index, which names everything they have. Following that would publish the types of a whole node, so
 * each import becomes imports of the files that declare the names.
 */
import { existsSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';

/** `import … from 'x';` and `export … from 'x';`, one statement to a line, as the compiler prints them. */
const FROM = /^(import|export)( type)? (\*|\w+|\{ .* \}) from '(.+)';$/gm;
/** What the compiler writes where a type was inferred. */
const INLINE = /import\("([^"]+)"\)\.(\w+)/g;

interface Statement {
  readonly keyword: string;
  /** As they are written: `a`, `type a`, `a as b`. */
  readonly names: readonly string[] | '*';
  readonly specifier: string;
}

export interface LinkOptions {
  /** Where the compiler wrote to: `PACKAGE/src/FILE.d.ts` below it. */
  readonly directory: string;
  /** From there. */
  readonly entries: readonly string[];
}

/**
 * @returns texts by path, `PACKAGE/FILE.d.ts`
 * @throws {Error} for a name or a file that is not there
 */
export function linkDeclarations({ directory, entries }: LinkOptions): Map<string, string> {
  const linked = new Map<string, string>();
  const waiting = [...entries];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const target = published(path);
    if (linked.has(target)) continue;
    const { text, reached } = linkFile(directory, path);
    linked.set(target, text);
    waiting.push(...reached);
  }
  return linked;
}

function linkFile(directory: string, path: string): { readonly text: string; readonly reached: readonly string[] } {
  const reached: string[] = [];
  const place = (file: string): string => {
    reached.push(file);
    const relative = posix.relative(posix.dirname(published(path)), published(file)).replace(/\.d\.ts$/, '.js');
    return relative.startsWith('.') ? relative : `./${relative}`;
  };
  const text = read(directory, path)
    .replaceAll(FROM, (line: string, keyword: string, type = '', what: string, specifier: string) => {
      const source = sourceOf(path, specifier);
      if (source === undefined) return line;
      if (what === '*') return `${keyword}${type} * from '${place(source)}';`;
      const lines = namesOf(what).map(
        (name) => `${keyword}${type} { ${name} } from '${place(declaringFile(directory, source, plain(name)))}';`,
      );
      return lines.join('\n');
    })
    .replaceAll(INLINE, (whole: string, specifier: string, name: string) => {
      const source = sourceOf(path, specifier);
      return source === undefined ? whole : `import("${place(declaringFile(directory, source, name))}").${name}`;
    });
  return { text, reached };
}

/** The file that declares what `path` exports as `name`. */
function declaringFile(directory: string, path: string, name: string): string {
  const found = findDeclaration(directory, path, name);
  if (found === undefined) throw new Error(`${path} exports no ${name}`);
  return found;
}

function findDeclaration(directory: string, path: string, name: string): string | undefined {
  const text = read(directory, path);
  if (new RegExp(`^export (declare )?(abstract )?(const|function|class|interface|type) ${name}\\b`, 'm').test(text)) return path;
  for (const { keyword, names, specifier } of statementsOf(text)) {
    if (keyword !== 'export' || (names !== '*' && !names.some((each) => plain(each) === name))) continue;
    const next = sourceOf(path, specifier);
    const found = next === undefined ? undefined : findDeclaration(directory, next, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function statementsOf(text: string): Statement[] {
  return [...text.matchAll(FROM)].map(([, keyword = '', , what = '', specifier = '']) => ({
    keyword,
    names: what === '*' ? '*' : namesOf(what),
    specifier,
  }));
}

function namesOf(what: string): string[] {
  if (!what.startsWith('{')) throw new Error(`only named imports can be linked, not ${what}`);
  return what
    .slice(1, -1)
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** The name without `type`. Renaming is not needed so far. */
function plain(name: string): string {
  if (name.includes(' as ')) throw new Error(`a renamed import cannot be linked: ${name}`);
  return name.replace(/^type /, '');
}

/** @returns the declarations behind an import of ours; undefined for other people's packages */
function sourceOf(path: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(path), specifier.replace(/\.[jt]s$/, '.d.ts'));
  const [, name, entry = 'index'] = /^@nacre\/([^/]+)(?:\/(.+))?$/.exec(specifier) ?? [];
  return name === undefined ? undefined : `${name}/src/${entry}.d.ts`;
}

function published(path: string): string {
  return path.replace('/src/', '/');
}

function read(directory: string, path: string): string {
  const file = posix.join(directory, path);
  if (!existsSync(file)) throw new Error(`the compiler wrote no ${path}`);
  return readFileSync(file, 'utf8');
}
