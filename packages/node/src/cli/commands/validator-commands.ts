import { readFile } from 'node:fs/promises';
import { fromHex } from '@nacre/base';
import { parseAddress } from '@nacre/crypto';
import { createVerifier } from '@nacre/crypto/native';
import { type Genesis, PARAMETER_NAMES, type ParameterName, type ProposeChange, proposalId } from '@nacre/ledger';
import { Argument, type Command } from 'commander';
import { readPossession } from '../../key-possession.ts';
import { NodeError } from '../../node-error.ts';
import { setChangeJson } from '../../rpc/set-change-json.ts';
import { table } from '../command-io.ts';
import type { CommandContext } from '../program.ts';
import { inWords, openOperatorHome, type Submitted, signAndSubmit } from '../sign-and-submit.ts';
import { wholeNumber } from '../whole-number.ts';

/** Bytes of a proof of a key that are read: key and signature of the largest scheme in base64 take 10 KB. */
const PROOF_BYTES_MAX = 64 * 1024;
const WEIGHT_MAX = 2 ** 50;

interface Validator {
  readonly address: string;
  readonly name: string | null;
  readonly weight: number;
  readonly nextWeight: number;
  readonly decidedWeight: number;
  readonly performance: number | null;
  readonly explanation: string;
}

interface ValidatorList {
  readonly epoch: number;
  readonly totalWeight: number;
  readonly faultTolerance: FaultTolerance;
  readonly validators: readonly Validator[];
}

interface FaultTolerance {
  readonly weight: number;
  readonly validators: number;
}

interface Proposal {
  readonly id: string;
  readonly change: Change;
  readonly proposer: string;
  readonly expiresMs: number;
  readonly approvedWeight: number;
  readonly missingWeight: number;
  readonly approved: { readonly height: number; readonly actsAtEpoch: number } | null;
}

interface Proposals {
  readonly epoch: number;
  readonly neededWeight: number;
  readonly proposals: readonly Proposal[];
}

type Change = ReturnType<typeof setChangeJson>;

interface DryRun {
  readonly actsAtEpoch: number;
  readonly before: Serving;
  readonly after: Serving;
}

interface Serving {
  readonly totalWeight: number;
  readonly faultTolerance: FaultTolerance;
  readonly validators: readonly { readonly address: string; readonly weight: number }[];
}

interface ProposeOptions {
  readonly home: string;
  readonly dryRun?: true;
}

type MakeChange = (genesis: Genesis) => Promise<ProposeChange>;

const HELP = `
What validators propose, more than two thirds of their weight must approve; proposing approves. A change acts two epochs after it is decided.
A newcomer makes its home with \`nacre join --validator\` and hands the output of \`nacre keys prove --home DIR\` to whoever proposes it.
Where a signer holds the key, give the home of the signer.`;

/** `validators …`: who decides, and what they decide about that. */
export function addValidatorCommands(program: Command, context: CommandContext): void {
  const validators = program.command('validators').description('who decides, and deciding about that').addHelpText('after', HELP);
  validators
    .command('list', { isDefault: true })
    .description('who decides, how reliably, and why everyone weighs what it does')
    .action(async () => {
      const found = (await context.call('validator_list')) as ValidatorList;
      context.print(found, () => listLines(found));
    });
  validators
    .command('proposals')
    .description('changes that can be approved, and those that wait for their epoch')
    .action(async () => {
      const found = (await context.call('validator_proposals')) as Proposals;
      context.print(found, () => proposalLines(found));
    });
  validators
    .command('approve')
    .description('approve a proposal')
    .argument('<id>', 'its id, or how it begins')
    .requiredOption('--home <dir>', 'home with the key of the validator that approves; NACRE_PASSPHRASE decrypts it')
    .action(async (start: string, { home }: { home: string }) => {
      const operator = await openOperatorHome(home, context);
      const id = (await findProposal(start, context)).id;
      const submitted = await signAndSubmit(operator, [{ kind: 'proposal.approve', id: fromHex(id) as Uint8Array }], context);
      await report(id, submitted, context);
    });
  addProposeCommands(validators, context);
}

function addProposeCommands(validators: Command, context: CommandContext): void {
  const propose = validators.command('propose').description('propose a change, which approves it');
  const proposing = (name: string, description: string): Command =>
    propose
      .command(name)
      .description(description)
      .requiredOption('--home <dir>', 'home with the key of the validator that proposes; NACRE_PASSPHRASE decrypts it')
      .option('--dry-run', 'only show what it would lead to');
  proposing('join', 'let a newcomer decide, too')
    .requiredOption('--proof <file>', 'what `nacre keys prove` printed in its home; - for standard input')
    .requiredOption('--weight <weight>', 'weight that it gets', wholeNumber(1, WEIGHT_MAX))
    .action(async (options: ProposeOptions & { readonly proof: string; readonly weight: number }) => {
      const text = options.proof === '-' ? await context.io.readStdin(PROOF_BYTES_MAX) : await readText(options.proof);
      await submitProposal(options, context, async (genesis) => {
        const proven = await readPossession(text, { genesis, verifier: createVerifier(genesis.scheme) });
        return { kind: 'validator.join', ...proven, weight: options.weight };
      });
    });
  proposing('leave', 'let a validator go')
    .argument('<validator>', 'address, or name in the genesis file')
    .action((who: string, options: ProposeOptions) =>
      submitProposal(options, context, async (genesis) => ({ kind: 'validator.leave', address: addressOf(who, genesis) })),
    );
  proposing('weight', 'give a validator another weight, and back what missed votes took')
    .argument('<validator>', 'address, or name in the genesis file')
    .argument('<weight>', 'weight that it gets', wholeNumber(1, WEIGHT_MAX))
    .action((who: string, weight: number, options: ProposeOptions) =>
      submitProposal(options, context, async (genesis) => ({ kind: 'validator.weight', address: addressOf(who, genesis), weight })),
    );
  proposing('rehabilitate', 'make a validator that is held for an offence a full member again')
    .argument('<validator>', 'address, or name in the genesis file')
    .action((who: string, options: ProposeOptions) =>
      submitProposal(options, context, async (genesis) => ({ kind: 'validator.rehabilitate', address: addressOf(who, genesis) })),
    );
  proposing('parameter', 'give a genesis parameter another value')
    .addArgument(new Argument('<name>', 'parameter').choices(PARAMETER_NAMES))
    .argument('<value>', 'its new value', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .action((name: ParameterName, value: number, options: ProposeOptions) =>
      submitProposal(options, context, async () => ({ kind: 'parameters.change', name, value })),
    );
}

async function submitProposal({ home, dryRun }: ProposeOptions, context: CommandContext, make: MakeChange): Promise<void> {
  const operator = await openOperatorHome(home, context);
  const change = await make(operator.genesis);
  const run = (await inWords(context.call('validator_dry_run', { change: setChangeJson(change) }))) as DryRun;
  if (dryRun === true) return context.print(run, () => dryRunLines(run));
  const submitted = await signAndSubmit(operator, [change], context);
  // Its id comes from the transaction, and the node knows it by now.
  const id = Buffer.from(proposalId(fromHex(submitted.txId) as Uint8Array, 0)).toString('hex');
  await report(id, submitted, context);
}

/** Says how far a proposal has come. */
async function report(id: string, submitted: Submitted, context: CommandContext): Promise<void> {
  const { proposals } = (await context.call('validator_proposals')) as Proposals;
  const proposal = proposals.find((one) => one.id === id) ?? null;
  context.print({ proposal: id, ...submitted, ...(proposal ?? {}) }, () => [
    `proposal ${id}`,
    submitted.status === 'committed' ? `in block  ${submitted.height}` : `status    ${submitted.status}: see nacre tx ${submitted.txId}`,
    ...(proposal === null ? [] : [`state     ${stateOf(proposal)}`]),
    ...(proposal?.approved === null ? [`Others approve it with: nacre validators approve ${id.slice(0, 12)} --home DIR`] : []),
  ]);
}

async function findProposal(start: string, context: CommandContext): Promise<Proposal> {
  const { proposals } = (await context.call('validator_proposals')) as Proposals;
  const found = proposals.filter(({ id }) => id.startsWith(start.toLowerCase()));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const what = found.length === 0 ? 'no open proposal begins' : `${found.length} proposals begin`;
  throw new NodeError('ARGUMENT_INVALID', `${what} with ${start}`, {
    fields: { argument: 'id', value: start },
    hint: '`nacre validators proposals` lists them.',
  });
}

/** @param who an address, or a name that the genesis file gives */
function addressOf(who: string, genesis: Genesis): Uint8Array {
  const named = genesis.validators.find(({ name }) => name === who);
  if (named !== undefined) return named.address;
  const parsed = parseAddress(who);
  if (parsed.ok) return parsed.value;
  throw new NodeError('ARGUMENT_INVALID', `${who} is neither an address nor a name of the genesis file`, {
    fields: { argument: 'validator', value: who },
    hint: '`nacre validators list` shows both.',
  });
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new NodeError('FILE_INACCESSIBLE', `cannot read ${path}: ${(cause as Error).message}`, { cause, fields: { path } });
  }
}

function listLines({ epoch, totalWeight, faultTolerance, validators }: ValidatorList): string[] {
  const rows = validators.map(({ address, name, weight, nextWeight, decidedWeight, performance, explanation }) => [
    ...[name ?? '-', address, String(weight), String(nextWeight), String(decidedWeight)],
    ...[performance === null ? '-' : `${(100 * performance).toFixed(1)} %`, explanation],
  ]);
  return [
    `epoch ${epoch}, weight ${totalWeight}; ${toleranceText(faultTolerance)}`,
    ...table([['name', 'address', 'weight', `epoch ${epoch + 1}`, `epoch ${epoch + 2}`, 'signed', 'why'], ...rows]),
  ];
}

function proposalLines({ epoch, neededWeight, proposals }: Proposals): string[] {
  if (proposals.length === 0) return [`epoch ${epoch}: nothing is proposed`];
  const rows = proposals.map((proposal) => [proposal.id.slice(0, 12), changeText(proposal.change), stateOf(proposal)]);
  return [`epoch ${epoch}; weight ${neededWeight} has to approve`, ...table([['id', 'change', 'state'], ...rows])];
}

function stateOf({ approved, approvedWeight, missingWeight, expiresMs }: Proposal): string {
  if (approved !== null) return `decided in block ${approved.height}, acts from epoch ${approved.actsAtEpoch} on`;
  return `approved by weight ${approvedWeight}, ${missingWeight} missing, until ${new Date(expiresMs).toISOString()}`;
}

function changeText(change: Change): string {
  switch (change.kind) {
    case 'validator.join':
      return `${change.address} joins with weight ${change.weight}`;
    case 'validator.leave':
      return `${change.address} leaves`;
    case 'validator.weight':
      return `${change.address} gets weight ${change.weight}`;
    case 'validator.rehabilitate':
      return `${change.address} is rehabilitated`;
    case 'parameters.change':
      return `${change.name} becomes ${change.value}`;
  }
}

function dryRunLines({ actsAtEpoch, before, after }: DryRun): string[] {
  const weightOf = ({ validators }: Serving, address: string) => validators.find((one) => one.address === address)?.weight ?? 0;
  const addresses = [...new Set([...before.validators, ...after.validators].map(({ address }) => address))];
  return [
    `would act from epoch ${actsAtEpoch} on`,
    ...table([
      ['address', 'now', 'then'],
      ...addresses.map((address) => [address, String(weightOf(before, address)), String(weightOf(after, address))]),
      ['total', String(before.totalWeight), String(after.totalWeight)],
    ]),
    `now  ${toleranceText(before.faultTolerance)}`,
    `then ${toleranceText(after.faultTolerance)}`,
  ];
}

function toleranceText({ weight, validators }: FaultTolerance): string {
  return `weight ${weight} may fail: any ${validators} of the validators`;
}
