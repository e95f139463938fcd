import { toHex } from '@nacre/base';
import type { Fault } from '@nacre/consensus';
import { LedgerError } from '@nacre/ledger';

/**
 * What stops a replica that consensus has stopped. A block that two thirds of the weight decided and that does not execute here was executed on
 * another state than theirs, and the first suspect is this disk: the store is fetched again. Two decided blocks are the network's fault.
 */
export function faultError(fault: Fault): Error {
  if (fault.code === 'DECIDED_INVALID') {
    const fields = { height: fault.height, decided: toHex(fault.blockHash) };
    return LedgerError.damaged(`decided block ${fault.height} does not execute here`, { fields });
  }
  return new Error(`consensus fault ${fault.code} at height ${fault.height}: ${toHex(fault.first)}, ${toHex(fault.second)}`);
}
