import type { BenchmarkSuite } from '@nacre/base/benchmark';
import { createSigner, createVerifier } from '@nacre/crypto/native';
import type { Transaction } from '@nacre/ledger';
import { decodeMessage, encodeMessage } from '../src/wire.ts';
import { append, service, TestChain } from '../test/support/test-chain.ts';

const RECORD_BYTES = 250;
/** Transactions that one sync makes durable under load, and so go out together. */
const TOGETHER = 50;
const BURST = 256;

/** What a node does with each transaction before it stands in a block, in the order of its life. */
const suite: BenchmarkSuite = {
  name: 'replica',
  async run(bench) {
    const chain = await TestChain.create();
    const writer = chain.key(1);
    await chain.decide([await chain.transaction(writer, [service('prices', writer)])]);
    const record = append('prices', new Uint8Array(RECORD_BYTES).fill(7));
    const transactions = await Promise.all(Array.from({ length: TOGETHER }, () => chain.transaction(writer, [record])));
    const [first] = transactions as [Transaction];
    const nowMs = chain.ledger.tip.timeMs + 1;
    const unit = 'transaction';

    const pass = (...bodies: Uint8Array[]): unknown => decodeMessage(encodeMessage({ kind: 'transactions', bodies }));
    const alone = await bench.measure('a frame of one transaction, sent and read', { unit }, () => pass(first.bytes));
    const bodies = transactions.map(({ bytes }) => bytes);
    const together = await bench.measure(`a frame of ${TOGETHER}, sent and read`, { unit, perIteration: TOGETHER }, () => pass(...bodies));
    bench.note(`${(alone / together).toFixed(1)} times less for each when they go together`);
    await bench.measure('decode', { unit }, () => chain.ledger.decode(first.bytes));
    const heard = await bench.measure('may a block hold it (what peers pass on)', { unit }, () => chain.ledger.includable(first, nowMs));
    const submitted = await bench.measure('has it effect (what clients submit)', { unit }, () => chain.ledger.admissible(first, nowMs));
    bench.note(`${(submitted / heard).toFixed(1)} times as much to execute it`);

    const signer = createSigner('ml-dsa-44', new Uint8Array(32).fill(7));
    const message = first.txId;
    const signed = {
      publicKey: signer.publicKey,
      message,
      context: 'nacre/1/bench',
      signature: await signer.sign(message, 'nacre/1/bench'),
    };
    const verifier = createVerifier('ml-dsa-44');
    await bench.measure('verify, one in a turn of the event loop', { unit: 'signature', iterations: 1 }, async () => {
      await verifier.verify(signed);
      await new Promise(setImmediate);
    });
    await bench.measure(`verify, ${BURST} at once`, { unit: 'signature', perIteration: BURST, iterations: 1 }, () =>
      Promise.all(Array.from({ length: BURST }, () => verifier.verify(signed))),
    );
  },
};

export default suite;
