import { existsSync } from 'node:fs';
import { formatGenesis } from '@nacre/ledger';
import { type Command, Option } from 'commander';
import type { SettingFlag } from '../../configuration.ts';
import { freePorts } from '../../free-ports.ts';
import { createHome, homePaths, newKey, readGenesis } from '../../home.ts';
import { P2P_PORT, RPC_PORT } from '../../new-testnet.ts';
import type { CommandContext } from '../program.ts';

const HOST = '127.0.0.1';

interface RunFlags {
  readonly home: string;
  readonly listen?: string;
  readonly announce?: string;
  readonly peer?: string;
  readonly security?: string;
  readonly rpcHost?: string;
  readonly rpcPort?: string;
  readonly recordsSubmit?: string;
  readonly signer?: string;
  readonly logLevel?: string;
}

/** `start` and `join`: a node in the foreground. */
export function addNodeCommands(program: Command, context: CommandContext): void {
  runCommand(program, 'start')
    .description('run the node of a home in the foreground; SIGINT and SIGTERM stop it cleanly')
    .option('--peer <multiaddrs>', 'nodes to connect to first, separated by commas (NACRE_BOOTSTRAP)')
    .option('--signer <socket>', "socket of the process that holds the validator's key (NACRE_SIGNER)")
    .action((options: RunFlags) => run(options));
  runCommand(program, 'join')
    .description('make a follower of a running network and run it; with its home made already, just run it')
    .requiredOption('--genesis <file>', 'genesis file of the network')
    .requiredOption('--peer <multiaddrs>', 'a node of the network, or several separated by commas')
    .option('--validator', 'make a key and an empty vote journal, too: it decides once the validators have let it')
    .option('--no-run', 'only make the home')
    .action(
      async ({
        genesis: file,
        run: wanted,
        validator,
        ...options
      }: RunFlags & { readonly genesis: string; readonly peer: string; readonly run: boolean; readonly validator?: true }) => {
        const paths = homePaths(options.home);
        if (!existsSync(paths.configuration)) {
          const genesis = await readGenesis(file);
          const { rpcPort, p2pPort } = await freePorts(HOST, RPC_PORT, P2P_PORT);
          await createHome({
            directory: options.home,
            scheme: genesis.scheme,
            genesisText: formatGenesis(genesis),
            validator: validator === true ? newKey(genesis.scheme) : null,
            passphrase: context.io.environment.NACRE_PASSPHRASE,
            service: newKey(genesis.scheme),
            configuration: {
              listen: [`/ip4/${HOST}/tcp/${p2pPort}`],
              bootstrap: options.peer.split(',').map((peer) => peer.trim()),
              rpc: { host: HOST, port: rpcPort },
            },
          });
          context.io.stderr(`made the home of a ${validator === true ? 'validator-to-be' : 'follower'}: ${paths.directory}\n`);
          if (validator === true) {
            context.io.stderr(`Hand the output of \`nacre keys prove --home ${paths.directory}\` to a validator, who proposes it.\n`);
          }
        }
        if (wanted) await run(options);
      },
    );

  async function run(options: RunFlags): Promise<void> {
    // libp2p and the RPC server take half a second to load, which the short commands are spared.
    const { readyLine, runNode } = await import('../../run-node.ts');
    await runNode({
      home: options.home,
      flags: flagsOf(options),
      environment: context.io.environment,
      terminal: (line) => context.io.stderr(`${line}\n`),
      ...(process.stderr.isTTY ? { bar: (text: string) => context.io.stderr(`\r\u001b[K${text}`) } : {}),
      ready: (node) => context.io.stdout(`${readyLine(node, context.json)}\n`),
    });
  }
}

function runCommand(program: Command, name: string): Command {
  return program
    .command(name)
    .requiredOption('--home <dir>', 'home of the node')
    .option('--listen <multiaddrs>', 'where other nodes connect, separated by commas (NACRE_LISTEN)')
    .option('--announce <multiaddrs>', 'what other nodes are told instead (NACRE_ANNOUNCE)')
    .addOption(new Option('--security <kind>', 'protection of links between nodes (NACRE_SECURITY)').choices(['tls', 'noise']))
    .option('--rpc-host <address>', 'address of the RPC (NACRE_RPC_HOST)')
    .option('--rpc-port <port>', 'port of the RPC; 0 takes a free one (NACRE_RPC_PORT)')
    .addOption(
      new Option('--records-submit <allowed>', 'whether the node signs records for clients (NACRE_RECORDS_SUBMIT)').choices([
        'true',
        'false',
      ]),
    )
    .addOption(
      new Option('--log-level <level>', 'least serious event in the log (NACRE_LOG_LEVEL)').choices(['debug', 'info', 'warn', 'error']),
    );
}

function flagsOf(options: RunFlags): Partial<Record<SettingFlag, string>> {
  const given: readonly (readonly [SettingFlag, string | undefined])[] = [
    ['--listen', options.listen],
    ['--announce', options.announce],
    ['--peer', options.peer],
    ['--security', options.security],
    ['--rpc-host', options.rpcHost],
    ['--rpc-port', options.rpcPort],
    ['--records-submit', options.recordsSubmit],
    ['--signer', options.signer],
    ['--log-level', options.logLevel],
  ];
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}
