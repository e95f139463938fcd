import { assert, COMMITTEES_CACHED_MAX, type Hash, toHex } from '@nacre/base';
import { Committee } from '@nacre/consensus';
import type { CommittedState } from './committed-state.ts';
import type { EpochInfo } from './epoch-info.ts';
import { LedgerError } from './errors.ts';
import type { Genesis } from './genesis.ts';
import { type ParameterStage, parametersIn } from './parameter-stages.ts';
import { type ChainParameters, PARAMETER_NAMES } from './parameters.ts';
import { COMMITTEE, EPOCH, PARAMETERS, REGISTRY } from './set-kinds.ts';
import { PARTICIPATION, type StateKind } from './state-kinds.ts';

/** What a block's execution finds in force: it changes with epochs only. */
export interface EpochStart {
  readonly info: EpochInfo;
  readonly parameters: ChainParameters;
}

/** Which epoch a height belongs to, and who decides there, as the state has it. Methods throw `LedgerError` if the store is damaged. */
export class EpochBook {
  readonly #state: CommittedState;
  /** Those of the latest epochs and of those asked for last, the least recently used first. */
  readonly #committees = new Map<string, Committee>();
  #current: EpochStart;

  /** @param genesis whose committee and parameters need not be made again while they are in force */
  constructor(state: CommittedState, genesis: Genesis) {
    this.#state = state;
    this.#keep(genesis.committee);
    const info = this.at(this.#require(PARTICIPATION, null).epoch);
    this.#current = { info, parameters: kept(genesis.parameters, this.parameters('inForce')) };
  }

  /** The epoch of the block after the tip. */
  get current(): EpochStart {
    return this.#current;
  }

  /** Call when the store holds the end of the epoch before. */
  enter(start: EpochStart): void {
    assert(start.info.epoch === this.#current.info.epoch + 1, 'epochs follow one another');
    this.#current = {
      info: { ...start.info, committee: this.#keep(start.info.committee) },
      parameters: kept(this.#current.parameters, start.parameters),
    };
  }

  /** @param epoch from 0 to the current one */
  at(epoch: number): EpochInfo {
    const { firstHeight, startMs, committeeHash } = this.#require(EPOCH, epoch);
    return { epoch, firstHeight, startMs, committee: this.#committee(committeeHash) };
  }

  /** @param epoch as `at` takes it. Making a committee of a hundred validators takes milliseconds. */
  committeeHash(epoch: number): Hash {
    return this.#require(EPOCH, epoch).committeeHash;
  }

  /** @param height from 0 to that of the block after the tip */
  of(height: number): EpochInfo {
    const { info } = this.#current;
    if (height >= info.firstHeight) return info;
    let low = 0;
    let high = info.epoch - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#require(EPOCH, middle).firstHeight <= height) low = middle;
      else high = middle - 1;
    }
    return this.at(low);
  }

  /** The committee that the next epoch will have if nobody is quarantined before. */
  scheduled(): Committee {
    return this.#committee(this.#require(REGISTRY, null).scheduled);
  }

  parameters(stage: ParameterStage): ChainParameters {
    return parametersIn(this.#require(PARAMETERS, null), stage);
  }

  #committee(hash: Hash): Committee {
    const known = this.#committees.get(toHex(hash));
    if (known !== undefined) return this.#keep(known);
    // A quarantine may leave someone with a third: what is in the state was decided, and is not judged again.
    const committee = Committee.create(this.#require(COMMITTEE, hash).validators, { allowLargeWeights: true });
    if (!committee.ok) throw LedgerError.damaged('a committee of the state is none', { fields: { refusal: committee.error } });
    return this.#keep(committee.value);
  }

  #keep(committee: Committee): Committee {
    const name = toHex(committee.hash);
    this.#committees.delete(name);
    this.#committees.set(name, committee);
    if (this.#committees.size > COMMITTEES_CACHED_MAX) this.#committees.delete(this.#committees.keys().next().value as string);
    return committee;
  }

  #require<Identity, Value>(kind: StateKind<Identity, Value>, identity: Identity): Value {
    const value = this.#state.value(kind, identity);
    if (value === undefined) throw LedgerError.damaged('a value that the state always holds is missing');
    return value;
  }
}

/** The first one if both say the same. */
function kept(before: ChainParameters, now: ChainParameters): ChainParameters {
  return PARAMETER_NAMES.every((name) => before[name] === now[name]) ? before : now;
}
