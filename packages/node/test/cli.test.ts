import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatGenesis } from '@nacre/ledger';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT, exitStatusOf } from '../src/cli/exit-status.ts';
import { runCli } from '../src/cli/program.ts';
import { capturedIo } from './support/captured-io.ts';
import { RpcNode } from './support/rpc-node.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

/** What the commands print with `--json`, as far as tests look into it. */
interface Printed {
  readonly txId: string;
  readonly status: string;
  readonly height: number;
  readonly address: string;
  readonly publicKey: string;
  readonly transactions: readonly string[];
  readonly keys: readonly { readonly use: string }[];
  readonly records: readonly object[];
  readonly data: { readonly payload: unknown };
  readonly error: { readonly code: string; readonly nodeCode: string };
}

const parsed = (text: string) => JSON.parse(text) as Printed;

/** Nothing listens on port 1 of any machine that runs tests. */
const NOBODY = 'http://127.0.0.1:1';

async function run(args: readonly string[], options: Parameters<typeof capturedIo>[0] = {}) {
  const io = capturedIo(options);
  const status = await runCli(args, io);
  return { status, out: io.out(), err: io.err() };
}

describe('command line', () => {
  test.each([
    [['bogus'], EXIT.usage],
    [['status', '--bogus'], EXIT.usage],
    [['record', 'list'], EXIT.usage],
    [['record', 'list', '--service', 'x', '--limit', '0'], EXIT.usage],
    [['testnet', 'init', '--nodes', 'four', '--output', '/x'], EXIT.usage],
    [['completion', 'fish'], EXIT.usage],
    [['record', 'proof', '--service', 'x'], EXIT.usage],
    [['submit', '--service', 'x', 'not json'], EXIT.usage],
    [['testnet', 'init', '--nodes', '4', '--shards', '2', '--output', '/nonexistent/x'], EXIT.usage],
    [['config', 'validate', '--home', '/nonexistent'], EXIT.configuration],
    [['start', '--home', '/nonexistent'], EXIT.configuration],
    [['keys', 'show', '/nonexistent'], EXIT.configuration],
    [['status', '--rpc', NOBODY], EXIT.unreachable],
    [['peers', 'ban', 'x', '--home', '/nonexistent'], EXIT.unreachable],
    [['--version'], EXIT.done],
    [['--help'], EXIT.done],
    [['record', '--help'], EXIT.done],
  ])('%j ends with %i', async (args, expected) => {
    const { status, out, err } = await run(args);
    expect(status).toBe(expected);
    // Data goes to stdout, and what went wrong to stderr.
    if (expected !== EXIT.done) expect([out, err === '']).toEqual(['', false]);
  });

  test('with --json an error is JSON on stderr', async () => {
    const { err } = await run(['status', '--json', '--rpc', NOBODY]);
    expect(parsed(err)).toMatchObject({ error: { code: 'RPC_UNREACHABLE', url: NOBODY, hint: expect.any(String) } });
  });

  test('every code has the status of its table', () => {
    expect(['PORT_IN_USE', 'STORE_LOCKED', 'PORT_BUSY'].map(exitStatusOf)).toEqual([EXIT.inUse, EXIT.inUse, EXIT.inUse]);
    expect(['STORE_DAMAGED', 'JOURNAL_FAILED', 'DIRECTORY_FAILED'].map(exitStatusOf)).toEqual([EXIT.storage, EXIT.storage, EXIT.storage]);
    expect(exitStatusOf('SOMETHING_NEW')).toBe(EXIT.unexpected);
  });

  test('completion knows every command', async () => {
    const { out } = await run(['completion', 'bash']);
    for (const words of ['"record") words="list latest proof', '"testnet") words="init', '"peers") words="list ban allow'])
      expect(out).toContain(words);
    expect((await run(['completion', 'zsh'])).out).toContain('bashcompinit');
  });
});

describe('keys and homes by command', () => {
  test('init makes a home that lists its keys and says what to put into the genesis', async () => {
    const home = join(await temporaryDirectory(), 'home');
    const made = parsed((await run(['init', '--home', home, '--json'])).out);
    const { keys } = parsed((await run(['keys', 'list', '--home', home, '--json'])).out);
    expect(keys.map(({ use }) => use)).toEqual(['validator', 'service']);
    expect(keys[0]).toMatchObject({ address: made.address, publicKey: made.publicKey });
    const again = await run(['init', '--home', home]);
    expect(again.status).toBe(EXIT.configuration);
    expect(again.err).toContain('HOME_EXISTS');
    // Until the genesis is there the home does not start, and says so.
    expect((await run(['config', 'validate', '--home', home])).err).toContain('HOME_INCOMPLETE');
  });

  test('a key made with a passphrase needs it', async () => {
    const file = join(await temporaryDirectory(), 'key.pem');
    const environment = { NACRE_PASSPHRASE: 'secret' };
    const made = await run(['keys', 'new', file, '--json'], { environment });
    expect((await run(['keys', 'show', file, '--json'], { environment })).out).toBe(made.out);
    expect((await run(['keys', 'show', file])).err).toContain('KEY_PASSPHRASE_MISSING');
    expect(made.out).not.toContain(
      Buffer.from(await readFile(file))
        .toString('utf8')
        .split('\n')[2] as string,
    );
  });

  test('config validate shows what is in effect, and every mistake', async () => {
    const directory = join(await temporaryDirectory(), 'net');
    await run(['testnet', 'init', '--nodes', '1', '--output', directory]);
    const home = join(directory, 'node0');
    const valid = await run(['config', 'validate', '--home', home, '--json'], {
      environment: { NACRE_RPC_PORT: '7777', NACRE_SERVICE_HOST: 'x' },
    });
    expect(parsed(valid.out)).toMatchObject({ valid: true, configuration: { rpc: { port: 7777 } } });
    expect(valid.err).toContain('NACRE_SERVICE_HOST');
    await writeFile(join(home, 'config.json'), '{"rcp":{},"security":"none"}');
    const invalid = await run(['config', 'validate', '--home', home]);
    expect(invalid.status).toBe(EXIT.configuration);
    expect(invalid.err).toContain('did you mean rpc?');
    expect(invalid.err).toContain('security');
  });

  test('join --no-run makes a follower that knows its peer', async () => {
    const directory = await temporaryDirectory();
    await run(['testnet', 'init', '--nodes', '1', '--output', join(directory, 'net')]);
    const genesis = join(directory, 'net', 'genesis.json');
    const home = join(directory, 'follower');
    const made = await run(['join', '--genesis', genesis, '--peer', '/ip4/10.0.0.1/tcp/9640', '--home', home, '--no-run']);
    expect(made.status).toBe(EXIT.done);
    expect(parsed(await readFile(join(home, 'config.json'), 'utf8'))).toMatchObject({ bootstrap: ['/ip4/10.0.0.1/tcp/9640'] });
    const { keys } = parsed((await run(['keys', 'list', '--home', home, '--json'])).out);
    expect(keys).toHaveLength(1);
  });

  test('check finds a fresh store in order', async () => {
    const directory = join(await temporaryDirectory(), 'net');
    await run(['testnet', 'init', '--nodes', '1', '--output', directory]);
    const checked = await run(['check', '--home', join(directory, 'node0'), '--json']);
    expect(parsed(checked.out)).toEqual({ height: 0, firstHeight: 1, executed: 0, problems: [] });
  });
});

describe('against a node', () => {
  let node: RpcNode;
  let genesis = '';
  const ask = (...args: string[]) => run([...args, '--rpc', node.url]);

  beforeAll(async () => {
    node = await RpcNode.start();
  });
  afterAll(() => node.stop());

  async function genesisFile(): Promise<string> {
    genesis = join(await temporaryDirectory(), 'genesis.json');
    await writeFile(genesis, formatGenesis(node.genesis));
    return genesis;
  }

  test('submit, list, latest, tx, block, validators, status, peers', async () => {
    const submitted = parsed((await ask('submit', '--service', 'notes', '--key', 'k', '{"a":1}', '--json')).out);
    expect(submitted.status).toBe('committed');
    expect(parsed((await ask('record', 'list', '--service', 'notes', '--json')).out).records[0]).toMatchObject({
      index: 0,
      payload: { a: 1 },
    });
    expect((await ask('record', 'list', '--service', 'notes', '--newest-first', '--from', '0')).out).toContain('{"a":1}');
    expect((await ask('record', 'latest', '--service', 'notes', '--key', 'k')).out).toMatch(/\{"a":1\}[\s\S]*as of height/);
    expect((await ask('record', 'latest', '--service', 'notes', '--key', 'none')).out).toContain('no record');
    expect((await ask('record', 'list', '--service', 'other')).out).toBe('no records\n');
    expect((await ask('tx', submitted.txId)).out).toContain('status: committed');
    expect(parsed((await ask('block', String(submitted.height), '--json')).out).transactions).toContain(submitted.txId);
    expect((await ask('block')).out).toContain('"header"');
    expect((await ask('validators')).out).toContain('1000');
    expect((await ask('status')).out).toContain('NORMAL');
    const health = await ask('health');
    expect([health.status, health.out]).toEqual([EXIT.done, expect.stringContaining('667 of 1000 can decide')]);
    expect(health.out).toContain('heard       1 of 1 validators\n');
    expect(health.out).toContain('sync        not needed since the start');
    expect((await ask('peers', 'list')).status).toBe(EXIT.done);
  });

  test('a refusal of the node is told with its code', async () => {
    const { status, err } = await ask('block', '999999');
    expect(status).toBe(EXIT.refused);
    expect(err).toContain('RPC_REFUSED');
    expect(parsed((await ask('block', '999999', '--json')).err).error).toMatchObject({ code: 'RPC_REFUSED', nodeCode: 'BLOCK_UNKNOWN' });
  });

  test('a proof is verified with the genesis alone, as base64 and as JSON', async () => {
    await ask('submit', '--service', 'proven', '--key', 'k', '{"b":2}');
    const file = await genesisFile();
    for (const json of [[], ['--json']]) {
      const proof = (await ask('record', 'proof', '--service', 'proven', '--index', '0', ...json)).out;
      const verified = await run(['verify', '--genesis', file, '--service', 'proven', '--index', '0', '--json'], { stdin: proof });
      expect(verified.status).toBe(EXIT.done);
      expect(parsed(verified.out)).toMatchObject({ valid: true, kind: 'included', payload: { b: 2 } });
    }
    const absent = (await ask('record', 'proof', '--service', 'proven', '--key', 'other')).out;
    expect((await run(['verify', '--genesis', file], { stdin: absent })).out).toContain('no record under the key other');
    const latest = (await ask('record', 'proof', '--service', 'proven', '--key', 'k')).out;
    expect((await run(['verify', '--genesis', file], { stdin: latest })).out).toContain('the latest under the key k');
  });

  // @mutation packages/node/src/cli/commands/record-commands.ts
  // - context.exitWith(EXIT.invalid);
  // + context.exitWith(EXIT.done);
  test('a proof with a flipped byte, of another network, or of something else than was asked for does not hold', async () => {
    await ask('submit', '--service', 'flipped', '1');
    const file = await genesisFile();
    const proof = Buffer.from((await ask('record', 'proof', '--service', 'flipped', '--index', '0')).out, 'base64');
    const flipped = Buffer.from(proof);
    flipped[100] = (flipped[100] as number) ^ 1;
    const verify = (bytes: Buffer, ...more: string[]) => run(['verify', '--genesis', file, ...more], { stdin: bytes.toString('base64') });
    expect((await verify(proof)).status).toBe(EXIT.done);
    expect((await verify(flipped)).status).toBe(EXIT.invalid);
    expect((await verify(proof, '--index', '1')).status).toBe(EXIT.invalid);
    expect((await verify(proof, '--service', 'other')).status).toBe(EXIT.invalid);
    const other = join(await temporaryDirectory(), 'net');
    await run(['testnet', 'init', '--nodes', '1', '--output', other]);
    expect((await run(['verify', '--genesis', join(other, 'genesis.json')], { stdin: proof.toString('base64') })).status).toBe(
      EXIT.invalid,
    );
  });

  test('a checkpoint is made, taken on, and verifies what is proven from it', async () => {
    await ask('submit', '--service', 'checked', '1');
    const genesisPath = await genesisFile();
    const checkpoint = join(await temporaryDirectory(), 'checkpoint.json');
    const made = await ask('checkpoint', '--genesis', genesisPath, '--checkpoint', checkpoint, '--json');
    expect(parsed(made.out)).toMatchObject({ fromHeight: 0, height: node.replica.ledger.tip.height, epoch: 0 });
    await ask('submit', '--service', 'checked', '2');
    const goneOn = await ask('checkpoint', '--genesis', genesisPath, '--checkpoint', checkpoint);
    expect(goneOn.out).toContain(`to block ${node.replica.ledger.tip.height} (`);
    const verify = async (proof: string, ...more: string[]) =>
      (await run(['verify', '--genesis', genesisPath, '--checkpoint', checkpoint, ...more], { stdin: proof })).status;
    const place = ['--service', 'checked', '--index', '1'];
    expect(await verify((await ask('record', 'proof', ...place)).out)).toBe(EXIT.done);
    expect(await verify((await ask('record', 'proof', ...place, '--checkpoint', checkpoint)).out)).toBe(EXIT.done);
    // As if it had been made long ago.
    const file = await readFile(checkpoint, 'utf8');
    await writeFile(checkpoint, file.replace(/"timeMs": \d+/, `"timeMs": ${Date.now() - 15 * 86_400_000}`));
    const proof = (await ask('record', 'proof', ...place)).out;
    expect(await verify(proof)).toBe(EXIT.invalid);
    expect(await verify(proof, '--trust-period', '16d')).toBe(EXIT.done);
    expect(await verify(proof, '--trust-period', '16')).toBe(EXIT.usage);
    const expired = await ask('checkpoint', '--genesis', genesisPath, '--checkpoint', checkpoint);
    expect([expired.status, expired.err]).toEqual([EXIT.invalid, expect.stringContaining('CHECKPOINT_EXPIRED')]);
  });

  test('a checkpoint that cannot be used is told apart from a node that cannot be reached', async () => {
    const genesisPath = await genesisFile();
    const checkpoint = join(await temporaryDirectory(), 'checkpoint.json');
    const made = await run(['checkpoint', '--genesis', genesisPath, '--checkpoint', checkpoint, '--rpc', NOBODY]);
    expect([made.status, made.err.split(':')[0]]).toEqual([EXIT.unreachable, 'RPC_UNREACHABLE']);
    const missing = await run(['verify', '--genesis', genesisPath, '--checkpoint', checkpoint], { stdin: 'AAAA' });
    expect([missing.status, missing.err.split(':')[0]]).toEqual([EXIT.configuration, 'FILE_INACCESSIBLE']);
    await writeFile(checkpoint, '{}');
    const unreadable = await ask('checkpoint', '--genesis', genesisPath, '--checkpoint', checkpoint);
    expect([unreadable.status, unreadable.err.split(':')[0]]).toEqual([EXIT.configuration, 'CHECKPOINT_INVALID']);
    const directory = await ask('checkpoint', '--genesis', genesisPath, '--checkpoint', join(checkpoint, 'x'));
    expect(directory.status).toBe(EXIT.configuration);
  });

  test.each(['', 'not base64!', '{"proof":5}'])('%j on standard input is no proof', async (stdin) => {
    const { status, err } = await run(['verify', '--genesis', await genesisFile()], { stdin });
    expect([status, err.startsWith('ARGUMENT_INVALID')]).toEqual([EXIT.usage, true]);
  });

  test('watch prints records as they come, and ends after as many as asked for', async () => {
    await ask('submit', '--service', 'watched', '1');
    const watching = ask('watch', 'records', '--service', 'watched', '--cursor', '0', '--count', '2');
    await ask('submit', '--service', 'watched', '2');
    const { out, status } = await watching;
    const events = out
      .trim()
      .split('\n')
      .map((line) => parsed(line));
    expect([status, events.map(({ data }) => data.payload)]).toEqual([EXIT.done, [1, 2]]);
    expect((await ask('watch', 'records')).status).toBe(EXIT.usage);
    expect((await ask('watch', 'weather')).status).toBe(EXIT.usage);
    expect((await ask('watch', 'blocks', '--cursor', 'nonsense')).status).toBe(EXIT.refused);
  });
});
