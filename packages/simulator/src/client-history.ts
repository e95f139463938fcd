import { type Hash, type Refusal, type Result, toHex } from '@nacre/base';

export interface ClientCall {
  readonly txId: string;
  readonly node: number;
  readonly generation: number;
  readonly sentAtMs: number;
  /** Null while no answer has come; it never comes if the process crashed. */
  answer: { readonly kind: 'admitted' } | { readonly kind: 'refused'; readonly refusal: Refusal } | null;
}

/** An acknowledgement of one node, which that node has to stand by. */
export interface Acknowledgement {
  readonly txId: string;
  readonly id: Hash;
  readonly node: number;
  readonly validUntilMs: number;
}

/** What clients asked, and what they were told. */
export class ClientHistory {
  readonly #calls: ClientCall[] = [];
  #acknowledgements: Acknowledgement[] = [];
  readonly #transactions = new Map<string, { readonly id: Hash; readonly validUntilMs: number }>();
  readonly #refusals = new Map<string, number>();
  readonly #onRefused: (txId: string, refusal: Refusal) => void;

  /** @param onRefused told of each refusal */
  constructor(onRefused: (txId: string, refusal: Refusal) => void = () => {}) {
    this.#onRefused = onRefused;
  }

  get calls(): readonly ClientCall[] {
    return this.#calls;
  }

  get acknowledgements(): readonly Acknowledgement[] {
    return this.#acknowledgements;
  }

  /** Every transaction that was ever handed to a replica. */
  get transactions(): ReadonlyMap<string, { readonly id: Hash; readonly validUntilMs: number }> {
    return this.#transactions;
  }

  /** How often each code was the answer. */
  get refusals(): ReadonlyMap<string, number> {
    return this.#refusals;
  }

  asked(call: {
    readonly id: Hash;
    readonly validUntilMs: number;
    readonly node: number;
    readonly generation: number;
    readonly nowMs: number;
  }): ClientCall {
    const txId = toHex(call.id);
    this.#transactions.set(txId, { id: call.id, validUntilMs: call.validUntilMs });
    const made: ClientCall = { txId, node: call.node, generation: call.generation, sentAtMs: call.nowMs, answer: null };
    this.#calls.push(made);
    return made;
  }

  /** A node's disk broke its promise: what the node acknowledged before it need not know any more. */
  excuse(node: number): void {
    this.#acknowledgements = this.#acknowledgements.filter((acknowledgement) => acknowledgement.node !== node);
  }

  answered(call: ClientCall, result: Result<{ readonly txId: Hash; readonly validUntilMs: number }>): void {
    if (result.ok) {
      call.answer = { kind: 'admitted' };
      this.#acknowledgements.push({ txId: call.txId, id: result.value.txId, node: call.node, validUntilMs: result.value.validUntilMs });
      return;
    }
    call.answer = { kind: 'refused', refusal: result.error };
    this.#onRefused(call.txId, result.error);
    this.#refusals.set(result.error.code, (this.#refusals.get(result.error.code) ?? 0) + 1);
  }
}
