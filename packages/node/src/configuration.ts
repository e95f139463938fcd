import { z } from 'zod';
import { configurationSchema, type NodeConfiguration } from './configuration-schema.ts';
import { nearestName } from './nearest-name.ts';
import { NodeError } from './node-error.ts';

type Json = Record<string, unknown>;

interface Setting {
  /** Place in the file. */
  readonly path: readonly [string] | readonly [string, string];
  readonly variable: string;
  readonly flag: string;
  readonly kind: 'text' | 'number' | 'boolean' | 'list';
}

/** What can be given beside the file. A flag wins over the environment, and that over the file. */
const SETTINGS = [
  { path: ['listen'], variable: 'NACRE_LISTEN', flag: '--listen', kind: 'list' },
  { path: ['announce'], variable: 'NACRE_ANNOUNCE', flag: '--announce', kind: 'list' },
  { path: ['bootstrap'], variable: 'NACRE_BOOTSTRAP', flag: '--peer', kind: 'list' },
  { path: ['security'], variable: 'NACRE_SECURITY', flag: '--security', kind: 'text' },
  { path: ['rpc', 'host'], variable: 'NACRE_RPC_HOST', flag: '--rpc-host', kind: 'text' },
  { path: ['rpc', 'port'], variable: 'NACRE_RPC_PORT', flag: '--rpc-port', kind: 'number' },
  { path: ['records', 'submit'], variable: 'NACRE_RECORDS_SUBMIT', flag: '--records-submit', kind: 'boolean' },
  { path: ['signer', 'socket'], variable: 'NACRE_SIGNER', flag: '--signer', kind: 'text' },
  { path: ['logs', 'level'], variable: 'NACRE_LOG_LEVEL', flag: '--log-level', kind: 'text' },
] as const satisfies readonly Setting[];

export type SettingFlag = (typeof SETTINGS)[number]['flag'];
/** Variables that this program reads elsewhere. */
const OTHER_VARIABLES = ['NACRE_PASSPHRASE', 'NACRE_RPC', 'NACRE_LIFELINE'];

export interface ConfigurationSources {
  /** Text of `config.json`, and its path for messages. */
  readonly file: { readonly path: string; readonly text: string };
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly flags: Readonly<Partial<Record<SettingFlag, string>>>;
}

interface Problem {
  readonly path: string;
  readonly problem: string;
  /** The file, or the variable or flag that the value came from. */
  readonly source: string;
}

/**
 * Reads a node's configuration: flag over environment over file over default.
 *
 * @throws {NodeError} `FILE_MALFORMED` if the file is not a JSON object; `CONFIG_INVALID` with every problem: unknown keys (and the
 *   nearest known one), wrong types, values out of range, and where each came from
 */
export function readConfiguration({ file, environment, flags }: ConfigurationSources): NodeConfiguration {
  const values = parseObject(file);
  const sources = new Map<string, string>();
  for (const setting of SETTINGS) {
    const given = flags[setting.flag] ?? environment[setting.variable];
    if (given === undefined) continue;
    setAt(values, setting.path, readValue(setting.kind, given));
    sources.set(setting.path.join('.'), flags[setting.flag] === undefined ? setting.variable : setting.flag);
  }
  const parsed = configurationSchema.safeParse(values);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap((issue) => describe(issue, sources, file.path));
  const [first] = problems;
  throw new NodeError('CONFIG_INVALID', `configuration: ${first?.path} ${first?.problem} (${first?.source})`, {
    fields: { problems },
    hint: 'Mend what is listed; `nacre config validate` checks again without starting anything.',
  });
}

/** Names of variables that look as if they were meant for this program, which reads no such ones; orchestrators set some. */
export function unknownVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known: readonly string[] = [...SETTINGS.map(({ variable }) => variable), ...OTHER_VARIABLES];
  return Object.keys(environment).filter((name) => name.startsWith('NACRE_') && !known.includes(name));
}

function parseObject({ path, text }: ConfigurationSources['file']): Json {
  const hint = 'Put it back from its backup, or begin with {}: every key has a default. `nacre config validate` checks it.';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new NodeError('FILE_MALFORMED', `${path} is not JSON: ${(cause as Error).message}`, { cause, fields: { path }, hint });
  }
  if (isObject(value)) return value;
  throw new NodeError('FILE_MALFORMED', `${path} holds no JSON object`, { fields: { path }, hint });
}

/** What is no number or truth value stays text, for the schema to refuse by name. */
function readValue(kind: Setting['kind'], text: string): unknown {
  if (kind === 'list') return text.split(',').map((item) => item.trim());
  if (kind === 'number') return /^\d{1,15}$/.test(text) ? Number(text) : text;
  if (kind === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  return text;
}

function setAt(values: Json, [first, second]: Setting['path'], value: unknown): void {
  if (second === undefined) values[first] = value;
  // A section that is no object is the file's mistake, and left for the schema to report.
  else if (values[first] === undefined || isObject(values[first])) values[first] = { ...values[first], [second]: value };
}

function describe(issue: z.core.$ZodIssue, sources: ReadonlyMap<string, string>, filePath: string): Problem[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(path);
    return issue.keys.map((key) => {
      const nearest = nearestName(key, known);
      const suggestion = nearest === undefined ? `known are ${known.join(', ')}` : `did you mean ${nearest}?`;
      return { path: [...path, key].join('.'), problem: `is not known; ${suggestion}`, source: filePath };
    });
  }
  const name = path.join('.');
  const source = [...sources].find(([setting]) => name === setting || name.startsWith(`${setting}.`))?.[1] ?? filePath;
  return [{ path: name, problem: issue.message, source }];
}

/** The keys that the schema knows at a place. */
function keysAt(path: readonly string[]): string[] {
  let schema: z.core.JSONSchema._JSONSchema | undefined = z.toJSONSchema(configurationSchema, { io: 'input' });
  for (const key of path) schema = typeof schema === 'object' ? schema.properties?.[key] : undefined;
  return typeof schema === 'object' ? Object.keys(schema.properties ?? {}) : [];
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
