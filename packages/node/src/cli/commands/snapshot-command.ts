import type { Command } from 'commander';
import { readConfiguration } from '../../configuration.ts';
import { homePaths, openHome, readConfigurationText } from '../../home.ts';
import type { CommandContext } from '../program.ts';

/** `snapshot save` and `snapshot restore`: the state of a stopped node as a file. */
export function addSnapshotCommand(program: Command, context: CommandContext): void {
  const snapshot = program.command('snapshot').description('the state as of a decided block, as a file that any node can verify');
  snapshot
    .command('save')
    .description("write a stopped node's state to a file: with it another node begins where this one is, without the blocks before")
    .argument('<file>', 'where; replaced if it is there')
    .requiredOption('--home <dir>', 'home of the node')
    .action(async (file: string, { home }: { home: string }) => {
      const node = await stoppedNode(home);
      const { saveSnapshot } = await import('../../snapshot-file.ts');
      const saved = await saveSnapshot(file, node);
      context.print({ file, ...saved }, () => [
        `saved the state after block ${saved.height} to ${file}: ${saved.parts} parts, ${saved.bytes} bytes`,
      ]);
    });
  snapshot
    .command('restore')
    .description('take a stopped node on to the block of a snapshot; every part is verified from the genesis on')
    .argument('<file>', 'a file that snapshot save has written')
    .requiredOption('--home <dir>', 'home of the node; its keys and its vote journal stay as they are')
    .action(async (file: string, { home }: { home: string }) => {
      const node = await stoppedNode(home);
      const { restoreSnapshot } = await import('../../snapshot-file.ts');
      const restored = await restoreSnapshot(file, node);
      context.print({ file, ...restored }, () => [
        `verified ${restored.parts} parts from the genesis on; the node is at block ${restored.height}`,
        'It has no records of blocks up to this one: nodes that keep all blocks have.',
      ]);
    });

  async function stoppedNode(home: string) {
    const paths = homePaths(home);
    const { environment } = context.io;
    const file = { path: paths.configuration, text: await readConfigurationText(paths) };
    const { genesis: genesisPath, signer } = readConfiguration({ file, environment, flags: {} });
    const { genesis } = await openHome(paths, { genesisPath, signer, passphrase: environment.NACRE_PASSPHRASE });
    return { storePath: paths.store, genesis };
  }
}
