import { assert, type Hash, ok, type Refusal, type Result } from '@nacre/base';
import type { Validator } from '@nacre/consensus';
import type { CommittedState } from './committed-state.ts';
import { decideChange, servingAfter } from './decide-change.ts';
import type { EpochBook } from './epoch-book.ts';
import type { Genesis } from './genesis.ts';
import { APPROVAL_EPOCHS } from './govern.ts';
import { Overlay } from './overlay.ts';
import type { ChainParameters } from './parameters.ts';
import { isPending } from './proposal-list.ts';
import { required } from './required.ts';
import type { SetChange } from './set-change.ts';
import { OFFENCE, type Offence, PROPOSAL, PROPOSALS, type Proposal, REGISTRY, type Registry } from './set-kinds.ts';

/** What a change would lead to, if it were decided now. */
export interface DryRun {
  /** The first epoch that would follow it. */
  readonly actsAtEpoch: number;
  /** Who would decide then, as far as it is known now. */
  readonly validators: readonly Validator[];
  readonly totalWeight: number;
  readonly faultTolerance: FaultTolerance;
}

/** How much of a set may fail: the greatest weight below a third, and how many validators that is if they are the heaviest. */
export interface FaultTolerance {
  readonly weight: number;
  readonly validators: number;
}

/** What the network has decided about its validators and parameters, as of the tip. */
export class ValidatorSet {
  readonly #genesis: Genesis;
  readonly #epochs: EpochBook;
  readonly #state: CommittedState;
  readonly #timeMs: number;

  constructor(genesis: Genesis, epochs: EpochBook, state: CommittedState, timeMs: number) {
    this.#genesis = genesis;
    this.#epochs = epochs;
    this.#state = state;
    this.#timeMs = timeMs;
  }

  /** Every validator as decided so far: with what has been decided for the epoch after the next, and who is held for what. */
  get registry(): Registry {
    const registry = this.#state.value(REGISTRY, null);
    assert(registry !== undefined, 'the state holds it from genesis on');
    return registry;
  }

  /** Those of the next epoch; and as decided so far, those of the epoch after it. */
  get scheduledParameters(): { readonly scheduled: ChainParameters; readonly decided: ChainParameters } {
    return { scheduled: this.#epochs.parameters('scheduled'), decided: this.#epochs.parameters('decided') };
  }

  /** A proposal by its id, whatever became of it. */
  proposal(id: Hash): Proposal | undefined {
    return this.#state.value(PROPOSAL, id);
  }

  /**
   * Proposals that can still be approved, or whose change is decided and not in force yet.
   *
   * @returns also the weight of those who have approved and serve now; more than 2/3 of their committee's decides
   */
  proposals(): { readonly id: Hash; readonly proposal: Proposal; readonly approvedWeight: number }[] {
    const { epoch, committee } = this.#epochs.current.info;
    const at = { epoch, timeMs: this.#timeMs };
    const listed = (this.#state.value(PROPOSALS, null) ?? []).map((id) => {
      const proposal = this.proposal(id);
      assert(proposal !== undefined, 'a listed proposal is in the state');
      const places = proposal.approvals.map((address) => committee.indexOf(address)).filter((index) => index !== null);
      return { id, proposal, approvedWeight: committee.weightOf(places) };
    });
    return listed.filter(({ proposal }) => isPending(proposal, at));
  }

  /** Proven offences from a number on, in the order of their proof. @param limit at most `RECORDS_PAGE_MAX` */
  offences({ from, limit }: { readonly from: number; readonly limit: number }): { readonly number: number; readonly offence: Offence }[] {
    const page = [];
    for (let number = from; number < Math.min(from + limit, this.registry.offenceCount); number++) {
      const offence = this.#state.value(OFFENCE, number);
      assert(offence !== undefined, 'offences are numbered without gaps');
      page.push({ number, offence });
    }
    return page;
  }

  /** What deciding a change would lead to, or why the network may not decide it now. Other approvals may come between. */
  dryRun(change: SetChange): Result<DryRun, Refusal> {
    const { scheme, allowLargeWeights } = this.#genesis;
    const { epoch, firstHeight } = this.#epochs.current.info;
    const place = { scheme, allowLargeWeights, height: firstHeight, epoch, scheduled: this.#epochs.scheduled() };
    const overlay = new Overlay(this.#state);
    const decided = decideChange(change, overlay, place);
    if (!decided.ok) return decided;
    const registry = 'registry' in decided.value ? decided.value.registry : required(overlay, REGISTRY);
    const validators = servingAfter(registry, place);
    const totalWeight = validators.reduce((sum, { weight }) => sum + weight, 0);
    return ok({ actsAtEpoch: epoch + APPROVAL_EPOCHS, validators, totalWeight, faultTolerance: faultTolerance(validators) });
  }
}

export function faultTolerance(validators: readonly Pick<Validator, 'weight'>[]): FaultTolerance {
  const totalWeight = validators.reduce((sum, { weight }) => sum + weight, 0);
  const weight = Math.ceil(totalWeight / 3) - 1;
  const heaviestFirst = validators.map((validator) => validator.weight).sort((a, b) => b - a);
  let failing = 0;
  let count = 0;
  while (count < heaviestFirst.length && failing + (heaviestFirst[count] as number) <= weight) failing += heaviestFirst[count++] as number;
  return { weight, validators: count };
}
