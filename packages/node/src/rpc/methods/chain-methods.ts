import { setImmediate as nextTurn } from 'node:timers/promises';
import { assert, bytesEqual, type Hash, toHex } from '@nacre/base';
import type { Block } from '@nacre/ledger';
import { z } from 'zod';
import type { NodeBackend } from '../../backend.ts';
import { RpcError } from '../errors.ts';
import { defineMethod, type Method } from '../method.ts';
import { CertificateJson, certificateJson, HeaderJson, headerJson } from '../present.ts';
import { chainParam, hashParam, hashText } from '../schemas.ts';

/** Transaction ids read before others get their turn: 10 µs each, and a block may list thousands. */
const IDS_PER_TURN = 500;

const blockParams = z
  .strictObject({
    chain: chainParam,
    height: z
      .union([z.int().min(1), z.literal('latest')])
      .optional()
      .describe('From 1 on, or "latest"'),
    hash: hashParam.optional(),
  })
  .refine(({ height, hash }) => (height === undefined) !== (hash === undefined), 'either height or hash');

/** The blocks of a chain. */
export function chainMethods(backend: NodeBackend): Method[] {
  const { ledger, genesis } = backend;
  const checkChain = (chain: number): void => {
    if (chain !== genesis.context.chain) throw new RpcError('CHAIN_UNKNOWN', { chain });
  };
  return [
    defineMethod({
      name: 'block_get',
      summary: 'A decided block: header, ids of its transactions, certificate.',
      params: blockParams,
      result: z.strictObject({
        hash: hashText,
        header: HeaderJson,
        transactions: z.array(hashText).describe('Ids, in order'),
        certificate: CertificateJson.nullable().describe('Null while the certificate of a block that came by sync is not here yet'),
      }),
      errors: ['CHAIN_UNKNOWN', 'BLOCK_UNKNOWN'],
      handle: async ({ chain, height, hash }) => {
        checkChain(chain);
        const block = hash === undefined ? blockAt(height === 'latest' ? ledger.tip.height : (height ?? 0)) : decidedBlock(hash);
        const { header } = block;
        const certificate = ledger.certificateAt(header.height);
        return {
          hash: toHex(block.hash),
          header: headerJson(header),
          transactions: await transactionIds(block),
          certificate: certificate === undefined ? null : certificateJson(certificate, ledger.committeeAt(header.height)),
        };
      },
    }),
  ];

  function blockAt(height: number): Block {
    const block = ledger.blockAt(height);
    if (block === undefined) throw new RpcError('BLOCK_UNKNOWN', { height, latestHeight: ledger.tip.height });
    return block;
  }

  /** What is stored but not decided is nobody's business. */
  function decidedBlock(hash: Hash): Block {
    const block = ledger.blockByHash(hash);
    const decided = block && ledger.blockAt(block.header.height);
    if (decided === undefined || !bytesEqual(decided.hash, hash))
      throw new RpcError('BLOCK_UNKNOWN', { hash, latestHeight: ledger.tip.height });
    return decided;
  }

  async function transactionIds(block: Block): Promise<string[]> {
    const ids: string[] = [];
    for (const bodyHash of block.bodyHashes) {
      const id = ledger.transactionId(bodyHash);
      if (id === undefined && block.header.height < ledger.firstHeight) {
        throw new RpcError('BLOCK_UNKNOWN', { height: block.header.height, latestHeight: ledger.tip.height });
      }
      assert(id !== undefined, 'the bodies of a decided block are stored with it');
      if (ids.push(toHex(id)) % IDS_PER_TURN === 0) await nextTurn();
    }
    return ids;
  }
}
