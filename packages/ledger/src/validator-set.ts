import { assert, type Hash } from '@nacre/base';
import type { CommittedState } from './committed-state.ts';
import type { EpochBook } from './epoch-book.ts';
import type { ChainParameters } from './parameters.ts';
import { isPending } from './proposal-list.ts';
import { OFFENCE, type Offence, PROPOSAL, PROPOSALS, type Proposal, REGISTRY, type Registry } from './set-kinds.ts';

/** What the network has decided about its validators and parameters, as of the tip. */
export class ValidatorSet {
  readonly #epochs: EpochBook;
  readonly #state: CommittedState;
  readonly #timeMs: number;

  constructor(epochs: EpochBook, state: CommittedState, timeMs: number) {
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

  /** Proposals that can still be approved, or whose change is decided and not in force yet. */
  proposals(): { readonly id: Hash; readonly proposal: Proposal }[] {
    const at = { epoch: this.#epochs.current.info.epoch, timeMs: this.#timeMs };
    const listed = (this.#state.value(PROPOSALS, null) ?? []).map((id) => {
      const proposal = this.proposal(id);
      assert(proposal !== undefined, 'a listed proposal is in the state');
      return { id, proposal };
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
}
