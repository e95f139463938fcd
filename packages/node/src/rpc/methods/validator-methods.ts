import { type Address, bytesEqual, type Refusal, toHex } from '@nacre/base';
import { formatAddress, parseAddress } from '@nacre/crypto';
import { faultTolerance, type Member } from '@nacre/ledger';
import { z } from 'zod';
import type { NodeBackend } from '../../backend.ts';
import { whyRefused } from '../change-refusals.ts';
import { RpcError } from '../errors.ts';
import { explainValidator } from '../explain-validator.ts';
import { defineMethod, type Method } from '../method.ts';
import { addressText, chainNumber, chainParam, count, hashText, timeMs } from '../schemas.ts';
import { SetChangeJson, SetChangeParam, setChangeJson, setChangeOf } from '../set-change-json.ts';

const FaultToleranceJson = z
  .strictObject({ weight: count, validators: count.describe('How many of the heaviest that is') })
  .describe('How much may fail with the others still deciding');

const ValidatorJson = z.strictObject({
  address: addressText,
  name: z.string().nullable().describe('As the genesis file calls it'),
  weight: count.describe('In this committee; 0 for whoever is not in it yet, or no longer'),
  baseWeight: count.nullable().describe('As decided; missed votes take weight away from it, and signing brings it back'),
  nextWeight: count.describe('In the next epoch, unless it is quarantined before'),
  decidedWeight: count.describe('As decided so far for the epoch after that'),
  shard: chainNumber.nullable().describe('Null: chain 0 holds everything as yet'),
  performance: z
    .number()
    .min(0)
    .max(1)
    .nullable()
    .describe('Share of the heights of the present epoch that it has signed; null before the first'),
  lastEpoch: z
    .strictObject({ epoch: count, heights: count, commits: count, proposals: count, passed: count })
    .nullable()
    .describe('The last epoch that it served: heights, how many it signed, blocks decided in its rounds, its rounds that passed without'),
  held: z
    .strictObject({ offence: count, verdict: z.enum(['pending', 'quarantined', 'serving']), epoch: count })
    .nullable()
    .describe('For which offence it is held, and from which epoch on what follows'),
  quarantined: z.boolean(),
  explanation: z.string().describe('Why it weighs what it does, and what comes next'),
});

const ProposalJson = z.strictObject({
  id: hashText,
  change: SetChangeJson,
  proposer: addressText,
  openedMs: timeMs,
  expiresMs: timeMs,
  approvals: z.array(z.strictObject({ address: addressText, weight: count.describe('In the present committee') })),
  approvedWeight: count,
  missingWeight: count.describe('That still has to approve; 0 once it is decided'),
  approved: z.strictObject({ height: count, actsAtEpoch: count }).nullable().describe('Null while it is open'),
});

const ServingJson = z.strictObject({
  totalWeight: count,
  faultTolerance: FaultToleranceJson,
  validators: z.array(z.strictObject({ address: addressText, weight: count })),
});

type ListedProposal = ReturnType<NodeBackend['ledger']['validatorSet']['proposals']>[number];

/** Who decides, what is proposed about that, and what it would lead to. */
export function validatorMethods(backend: NodeBackend): Method[] {
  const { ledger, genesis } = backend;
  const nextHeight = () => ledger.tip.height + 1;
  return [
    defineMethod({
      name: 'validator_list',
      summary:
        'The committee that decides a height and, of the next height, whoever joins or has left; how they do, and why they weigh what they do.',
      params: z.strictObject({ chain: chainParam, height: z.int().min(1).optional().describe('The next one if not given') }),
      result: z.strictObject({
        chain: chainNumber,
        height: count,
        epoch: count,
        totalWeight: count,
        faultTolerance: FaultToleranceJson,
        validators: z.array(ValidatorJson),
      }),
      errors: ['CHAIN_UNKNOWN', 'BLOCK_UNKNOWN'],
      handle: ({ chain, height = nextHeight() }) => {
        if (chain !== genesis.context.chain) throw new RpcError('CHAIN_UNKNOWN', { chain });
        const at = ledger.epochOf(height);
        if (at === undefined) throw new RpcError('BLOCK_UNKNOWN', { chain, height, latestHeight: ledger.tip.height });
        const { committee, epoch } = at;
        const isNext = height === nextHeight();
        const { members } = ledger.validatorSet.registry;
        const others = isNext ? members.filter(({ address }) => committee.indexOf(address) === null) : [];
        const addresses = [...committee.validators, ...others].map(({ address }) => address);
        return {
          chain,
          height,
          epoch,
          totalWeight: committee.totalWeight,
          faultTolerance: faultTolerance(committee.validators),
          validators: addresses.map((address) => validatorJson(address, weightIn(committee, address), members)),
        };
      },
    }),
    defineMethod({
      name: 'validator_proposals',
      summary: 'Changes that validators can still approve, and those that are decided and not in force yet.',
      params: z.strictObject({}),
      result: z.strictObject({
        epoch: count,
        totalWeight: count,
        neededWeight: count.describe('That has to approve: more than two thirds'),
        proposals: z.array(ProposalJson).describe('In the order in which they were opened'),
      }),
      errors: [],
      handle: () => {
        const { epoch, totalWeight } = committeeNow();
        const proposals = ledger.validatorSet.proposals().map(proposalJson);
        return { epoch, totalWeight, neededWeight: quorumWeight(totalWeight), proposals };
      },
    }),
    defineMethod({
      name: 'validator_dry_run',
      summary: 'What deciding a change now would lead to, and how much could fail then; or why the network would refuse it.',
      params: z.strictObject({ change: SetChangeParam }),
      result: z.strictObject({
        actsAtEpoch: count.describe('The first epoch that would follow it'),
        before: ServingJson.describe('The present committee'),
        after: ServingJson.describe('Who would decide then, as far as it is known now'),
      }),
      errors: ['CHANGE_REFUSED'],
      handle: ({ change }) => {
        const run = ledger.validatorSet.dryRun(setChangeOf(change, genesis.scheme));
        if (!run.ok) throw changeRefused(run.error);
        const { committee } = committeeNow();
        return { actsAtEpoch: run.value.actsAtEpoch, before: servingJson(committee.validators), after: servingJson(run.value.validators) };
      },
    }),
    defineMethod({
      name: 'account_get',
      summary: 'The key with which an account signs now, and the one before while it still can be met.',
      params: z.strictObject({ address: addressText }),
      result: z.strictObject({
        address: addressText,
        account: z
          .strictObject({
            publicKey: z.string().describe('Hex'),
            sponsor: addressText,
            retired: z.strictObject({ publicKey: z.string().describe('Hex'), untilMs: timeMs }).nullable(),
          })
          .nullable()
          .describe('Null if there is no such account'),
      }),
      errors: [],
      handle: ({ address }) => {
        const parsed = parseAddress(address);
        if (!parsed.ok) throw new RpcError('INVALID_PARAMS', { issues: [{ path: 'address', message: 'no address' }] });
        const account = ledger.account(parsed.value);
        if (account === undefined) return { address, account: null };
        const { publicKey, sponsor, retired } = account;
        const before = retired === null ? null : { publicKey: toHex(retired.publicKey), untilMs: retired.untilMs };
        return { address, account: { publicKey: toHex(publicKey), sponsor: formatAddress(sponsor), retired: before } };
      },
    }),
  ];

  function committeeNow() {
    const committee = ledger.committeeAt(nextHeight());
    return { committee, totalWeight: committee.totalWeight, epoch: ledger.nextEpoch().epoch - 1 };
  }

  function validatorJson(address: Address, weight: number, members: readonly Member[]): z.input<typeof ValidatorJson> {
    const member = members.find((one) => bytesEqual(one.address, address));
    const { epoch, committee: next } = ledger.nextEpoch();
    const isQuarantined = member?.held?.verdict === 'quarantined';
    const nextWeight = weightIn(next, address);
    const decidedWeight = isQuarantined ? 0 : (member?.weight ?? 0);
    return {
      address: formatAddress(address),
      name: nameOf(address),
      weight,
      baseWeight: member?.baseWeight ?? null,
      nextWeight,
      decidedWeight,
      shard: null,
      performance: performanceNow(address),
      lastEpoch: member?.performance ?? null,
      held: member?.held ?? null,
      quarantined: isQuarantined,
      explanation: explainValidator({ member, epoch: epoch - 1, weight, nextWeight, decidedWeight }),
    };
  }

  function performanceNow(address: Address): number | null {
    const { heights = 0, commits = [] } = ledger.participation() ?? {};
    const index = committeeNow().committee.indexOf(address);
    return heights === 0 || index === null ? null : (commits[index] ?? 0) / heights;
  }

  function nameOf(address: Address): string | null {
    return genesis.validators.find((known) => bytesEqual(known.address, address))?.name ?? null;
  }

  function proposalJson({ id, proposal, approvedWeight }: ListedProposal): z.input<typeof ProposalJson> {
    const { change, proposer, openedMs, expiresMs, approvals, approved } = proposal;
    const { committee, totalWeight } = committeeNow();
    const counted = approvals.map((address) => ({ address: formatAddress(address), weight: weightIn(committee, address) }));
    return {
      id: toHex(id),
      change: setChangeJson(change),
      proposer: formatAddress(proposer),
      openedMs,
      expiresMs,
      approvals: counted,
      approvedWeight,
      missingWeight: approved === null ? Math.max(0, quorumWeight(totalWeight) - approvedWeight) : 0,
      approved,
    };
  }
}

function servingJson(validators: readonly { readonly address: Address; readonly weight: number }[]): z.input<typeof ServingJson> {
  return {
    totalWeight: validators.reduce((sum, { weight }) => sum + weight, 0),
    faultTolerance: faultTolerance(validators),
    validators: validators.map(({ address, weight }) => ({ address: formatAddress(address), weight })),
  };
}

function weightIn(committee: { indexOf(address: Address): number | null; weight(index: number): number }, address: Address): number {
  const index = committee.indexOf(address);
  return index === null ? 0 : committee.weight(index);
}

/** The least weight that is more than two thirds. */
function quorumWeight(totalWeight: number): number {
  return Math.floor((2 * totalWeight) / 3) + 1;
}

function changeRefused({ code, ...fields }: Refusal): RpcError {
  return new RpcError('CHANGE_REFUSED', { ...fields, reason: code, why: whyRefused(code) ?? code });
}
