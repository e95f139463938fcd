import { type Address, assert } from '@nacre/base';

/** A validator, with its weight as whoever counts for himself wants it. */
export interface Member {
  readonly address: Address;
  readonly publicKey: Uint8Array;
  readonly weight: bigint;
}

/** Who decides which height, in the committee's order, as the simulation learns it block by block. */
export class CommitteeBook {
  readonly #spans: { readonly from: number; readonly members: readonly Member[] }[];

  /** @param members from the first height on */
  constructor(members: readonly Member[]) {
    this.#spans = [{ from: 1, members }];
  }

  /** From a height on, above all that was learned before. */
  learn(from: number, members: readonly Member[]): void {
    const last = this.#spans.at(-1);
    if (last !== undefined && from <= last.from) return;
    this.#spans.push({ from, members });
  }

  /** Of heights beyond what was learned, those of the highest. */
  at(height: number): readonly Member[] {
    const span = this.#spans.findLast(({ from }) => from <= height) ?? this.#spans[0];
    assert(span !== undefined, 'a book has a first page');
    return span.members;
  }
}
