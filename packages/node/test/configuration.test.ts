import { LOCAL_CONFIGURATION } from '@nacre/replica';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ConfigurationSources, readConfiguration, unknownVariables } from '../src/configuration.ts';
import { nearestName } from '../src/nearest-name.ts';

function read(file: unknown, other: Partial<Omit<ConfigurationSources, 'file'>> = {}) {
  const text = typeof file === 'string' ? file : JSON.stringify(file);
  return readConfiguration({ file: { path: 'config.json', text }, environment: {}, flags: {}, ...other });
}

function problemsOf(
  file: unknown,
  other: Partial<Omit<ConfigurationSources, 'file'>> = {},
): { path: string; problem: string; source: string }[] {
  try {
    read(file, other);
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as { fields: { problems: { path: string; problem: string; source: string }[] } }).fields.problems;
  }
  throw new Error('the configuration was accepted');
}

describe('configuration', () => {
  test('an empty file has every default, and consensus and snapshots those of the replica', () => {
    const configuration = read({});
    const { snapshotIntervalBlocks, snapshotsKept, snapshotBehindBlocks, ...consensus } = LOCAL_CONFIGURATION;
    expect(configuration.consensus).toEqual(consensus);
    expect(configuration).toMatchObject({
      snapshot: { intervalBlocks: snapshotIntervalBlocks, keep: snapshotsKept, fetch: true, behindBlocks: snapshotBehindBlocks },
      listen: ['/ip4/127.0.0.1/tcp/9640'],
      security: 'tls',
      tlsGroups: 'X25519MLKEM768',
      rpc: { host: '127.0.0.1', port: 8640 },
      records: { submit: false, writers: [] },
    });
  });

  // @mutation packages/node/src/configuration.ts
  // - const given = flags[setting.flag] ?? environment[setting.variable];
  // + const given = environment[setting.variable] ?? flags[setting.flag];
  test('a flag wins over the environment, and that over the file', () => {
    const file = { rpc: { port: 1, host: '127.0.0.2' }, logs: { level: 'error' } };
    const environment = { NACRE_RPC_PORT: '2', NACRE_LOG_LEVEL: 'warn' };
    const configuration = read(file, { environment, flags: { '--rpc-port': '3' } });
    expect(configuration.rpc).toEqual({ port: 3, host: '127.0.0.2' });
    expect(configuration.logs.level).toBe('warn');
  });

  test('lists and truth values are read from text', () => {
    const environment = { NACRE_BOOTSTRAP: '/ip4/10.0.0.1/tcp/9640, /ip4/10.0.0.2/tcp/9640', NACRE_RECORDS_SUBMIT: 'true' };
    expect(read({}, { environment })).toMatchObject({
      bootstrap: ['/ip4/10.0.0.1/tcp/9640', '/ip4/10.0.0.2/tcp/9640'],
      records: { submit: true },
    });
  });

  // @mutation packages/node/src/configuration-schema.ts
  // - const rpc = z.strictObject({
  // + const rpc = z.object({
  test('an unknown key is refused by its path, with the nearest known one', () => {
    expect(problemsOf({ rpc: { prot: 1 } })).toEqual([
      { path: 'rpc.prot', problem: 'is not known; did you mean port?', source: 'config.json' },
    ]);
    expect(problemsOf({ consensus: { timeouts: { proposMs: 5 } } })[0]).toMatchObject({ path: 'consensus.timeouts.proposMs' });
    expect(problemsOf({ whatever: true })[0]?.problem).toContain('known are genesis, listen');
  });

  test('every problem is told, each with where the value came from', () => {
    const problems = problemsOf({ security: 'none', rpc: { port: 70_000 }, listen: [] }, { environment: { NACRE_RPC_HOST: '' } });
    expect(problems.map(({ path, source }) => [path, source])).toEqual([
      ['listen', 'config.json'],
      ['security', 'config.json'],
      ['rpc.host', 'NACRE_RPC_HOST'],
      ['rpc.port', 'config.json'],
    ]);
  });

  test.each([
    ['text for a number', { '--rpc-port': 'abc' }, '--rpc-port'],
    ['a number out of range', { '--rpc-port': '65536' }, '--rpc-port'],
    ['something between true and false', { '--records-submit': 'maybe' }, '--records-submit'],
    ['an empty entry of a list', { '--peer': '/ip4/10.0.0.1/tcp/1,' }, '--peer'],
  ] as const)('a flag with %s is refused by its name', (_, flags, source) => {
    expect(problemsOf({}, { flags })[0]).toMatchObject({ source });
  });

  test.each(['', '{', '[]', 'null', '"text"'])('a file that holds %j is no configuration', (text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'FILE_MALFORMED' }));
  });

  test('a section that is no object is the file’s problem even where a variable sets a part of it', () => {
    expect(problemsOf({ rpc: 5 }, { environment: { NACRE_RPC_PORT: '1' } })[0]).toMatchObject({ path: 'rpc' });
  });

  test('no JSON makes it throw anything but its own error', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          read(text);
        } catch (error) {
          expect((error as { code: string }).code).toMatch(/^(CONFIG_INVALID|FILE_MALFORMED)$/);
        }
      }),
    );
  });

  test('variables that only look like settings are named, not refused: orchestrators set such ones', () => {
    expect(unknownVariables({ NACRE_PORT: 'tcp://10.0.0.1:80', NACRE_RPC_PORT: '1', NACRE_PASSPHRASE: 'x', HOME: '/' })).toEqual([
      'NACRE_PORT',
    ]);
  });
});

describe('nearest name', () => {
  test('two edits at most, and less than half of a short word', () => {
    expect(nearestName('lisen', ['listen', 'limits'])).toBe('listen');
    expect(nearestName('PORT', ['host', 'port'])).toBe('port');
    expect(nearestName('xy', ['host', 'port'])).toBeUndefined();
    expect(nearestName('bootstrapping', ['bootstrap'])).toBeUndefined();
  });
});
