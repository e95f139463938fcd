import { assert, bytesEqual, toHex } from '@nacre/base';
import { type Equivocation, equivocationCodec, proposalMessage, voteMessage } from '@nacre/consensus';
import { formatAddress } from '@nacre/crypto';
import type { Offence } from '@nacre/ledger';
import { z } from 'zod';
import type { NodeBackend } from '../../backend.ts';
import { RpcError } from '../errors.ts';
import { defineMethod, type Method } from '../method.ts';
import { toBase64 } from '../present.ts';
import { addressText, base64Text, count, hashText } from '../schemas.ts';

/** Offences in one answer: each takes 15 KB. */
const PAGE_MAX = 100;
const PAGE_DEFAULT = 20;

const SignedMessageJson = z.strictObject({
  blockHash: hashText.nullable().describe('What was voted for or proposed; null for no block'),
  validRound: z.int().nullable().describe('Of a proposal; null for votes'),
  message: base64Text.describe('What the signature is over'),
  signature: base64Text,
});

const OffenceJson = z.strictObject({
  offence: count.describe('Its number, from 0 on in the order of proof'),
  address: addressText,
  name: z.string().nullable().describe('As the genesis file calls the validator'),
  kind: z.enum(['prepare', 'commit', 'proposal']),
  height: count,
  round: count,
  epoch: count.describe('In which the two were signed'),
  provenHeight: count.describe('Of the block that holds the evidence'),
  txId: hashText.describe('Of the transaction that holds it'),
  operation: count.describe('Index within the transaction'),
  publicKey: base64Text.describe("The validator's key at that height"),
  messages: z.tuple([SignedMessageJson, SignedMessageJson]).describe('Both, as they were signed for one place'),
  evidence: base64Text.describe('Both in the canonical encoding; nacre evidence --verify reads it'),
});

/** What validators are held for. */
export function evidenceMethods({ ledger, genesis }: NodeBackend): Method[] {
  return [
    defineMethod({
      name: 'evidence_list',
      summary: 'Proven offences with both signed messages and the key that signed them: whoever has the genesis can verify them offline.',
      params: z.strictObject({ from: count.default(0), limit: z.int().min(1).max(PAGE_MAX).default(PAGE_DEFAULT) }),
      result: z.strictObject({ offences: z.array(OffenceJson), nextFrom: count.nullable().describe('Null at the end') }),
      errors: ['EVIDENCE_PRUNED'],
      handle: ({ from, limit }) => {
        const { validatorSet } = ledger;
        const page = validatorSet.offences({ from, limit });
        const isEnd = from + limit >= validatorSet.registry.offenceCount;
        return { offences: page.map(({ number, offence }) => offenceJson(number, offence)), nextFrom: isEnd ? null : from + limit };
      },
    }),
  ];

  function offenceJson(number: number, offence: Offence): z.input<typeof OffenceJson> {
    const { address, height, round, kind, provenHeight, bodyHash, operation } = offence;
    const at = ledger.epochOf(height);
    const body = ledger.body(bodyHash);
    const transaction = body && ledger.read(body);
    // A node that has taken up a snapshot has the state, in which the offence is, and not the block that proves it.
    if (body === undefined) throw new RpcError('EVIDENCE_PRUNED', { offence: number, provenHeight });
    assert(at !== undefined && transaction?.ok === true, 'what a decided block holds can be read');
    const found = transaction.value.contents.operations[operation];
    assert(found?.kind === 'evidence', 'an offence names the operation that proved it');
    const { equivocation } = found;
    return {
      offence: number,
      address: formatAddress(address),
      name: genesis.validators.find((known) => bytesEqual(known.address, address))?.name ?? null,
      kind,
      height,
      round,
      epoch: at.epoch,
      provenHeight,
      txId: toHex(transaction.value.txId),
      operation,
      publicKey: toBase64(at.committee.validator(equivocation.validator).publicKey),
      messages: messagesJson(equivocation),
      evidence: toBase64(equivocationCodec.encode(equivocation)),
    };
  }

  function messagesJson({ first, second }: Equivocation): [z.input<typeof SignedMessageJson>, z.input<typeof SignedMessageJson>] {
    return [messageJson(first), messageJson(second)];
  }

  function messageJson(signed: Equivocation['first']): z.input<typeof SignedMessageJson> {
    const isVote = 'kind' in signed;
    return {
      blockHash: signed.blockHash === null ? null : toHex(signed.blockHash),
      validRound: isVote ? null : signed.validRound,
      message: toBase64(isVote ? voteMessage(genesis.context, signed) : proposalMessage(genesis.context, signed)),
      signature: toBase64(signed.signature),
    };
  }
}
