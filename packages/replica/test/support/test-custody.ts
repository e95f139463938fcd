import { assert, type Custody, type RecalledMessage, type Signer, SignerError } from '@nacre/base';
import { encodeProposal, encodeVote, PROPOSAL_CONTEXT, proposalMessageCodec, VOTE_CONTEXT, voteMessageCodec } from '@nacre/consensus';
import type { TestKey } from './test-keys.ts';

/** A signer in another process, as a replica sees it: it can be away, it remembers, and it can refuse. */
export class TestCustody implements Signer, Custody {
  readonly publicKey: Uint8Array;
  /** What it signed in consensus, in order. */
  memory: { readonly height: number; readonly message: RecalledMessage }[] = [];
  /** Asks for a signature of these kinds are refused. */
  readonly refuses = new Set<'prepare' | 'commit' | 'proposal'>();
  /** Goes away after it has signed, and before anybody hears of it. */
  diesAfterSigning = false;
  floorHeight = 0;
  session: number | null = 1;
  recalls = 0;
  readonly #key: TestKey;
  readonly #listeners = new Set<() => void>();
  #sessions = 1;

  constructor(key: TestKey) {
    this.#key = key;
    this.publicKey = key.publicKey;
  }

  async sign(message: Uint8Array, context: string): Promise<Uint8Array> {
    if (this.session === null) throw away();
    const signature = await this.#key.sign(message, context);
    const statement = read(message, context);
    if (statement !== null) {
      if (this.refuses.has(statement.kind)) throw new SignerError('SIGNER_REFUSED', 'refused', { fields: { reason: 'SIGNED_OTHERWISE' } });
      this.memory.push({ height: statement.height, message: statement.stored(signature) });
    }
    if (!this.diesAfterSigning) return signature;
    this.diesAfterSigning = false;
    this.goAway();
    throw away();
  }

  async recall(aboveHeight: number): Promise<readonly RecalledMessage[]> {
    if (this.session === null) throw away();
    this.recalls++;
    return this.memory.filter(({ height }) => height > aboveHeight).map(({ message }) => message);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  goAway(): void {
    this.session = null;
    for (const listener of this.#listeners) listener();
  }

  comeBack(): void {
    this.session = ++this.#sessions;
    for (const listener of this.#listeners) listener();
  }
}

function away(): SignerError {
  return new SignerError('SIGNER_AWAY', 'away', { fields: { why: 'test' } });
}

function read(message: Uint8Array, context: string) {
  if (context === VOTE_CONTEXT) {
    const decoded = voteMessageCodec.decode(message);
    assert(decoded.ok, 'replicas ask for what decodes');
    const { content } = decoded.value;
    const stored = (signature: Uint8Array): RecalledMessage => ({
      kind: 'vote',
      bytes: encodeVote({ ...content, validator: 0, signature }),
    });
    return { kind: content.kind, height: content.height, stored };
  }
  if (context !== PROPOSAL_CONTEXT) return null;
  const decoded = proposalMessageCodec.decode(message);
  assert(decoded.ok, 'replicas ask for what decodes');
  const { content } = decoded.value;
  const stored = (signature: Uint8Array): RecalledMessage => ({
    kind: 'proposal',
    bytes: encodeProposal({ ...content, proposer: 0, signature }),
  });
  return { kind: 'proposal' as const, height: content.height, stored };
}
