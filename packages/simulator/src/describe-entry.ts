import { toHex } from '@nacre/base';
import { decodeMessage, decodeRequest } from '@nacre/replica';
import type { TraceEntry } from './trace.ts';

/** One entry of a trace as a line for people. */
export function describeEntry({ kind, node, other, number, bytes }: TraceEntry): string {
  switch (kind) {
    case 'deliver':
      return `node ${node} receives from ${other}: ${frameName(bytes, decodeMessage)}, ${number} bytes`;
    case 'request':
      return `node ${node} is asked by ${other}: ${frameName(bytes, decodeRequest)}, ${number} bytes`;
    case 'answer':
      return `node ${node} is answered by ${other}: ${number} bytes`;
    case 'connect':
      return `nodes ${node} and ${other} connect`;
    case 'disconnect':
      return `nodes ${node} and ${other} disconnect`;
    case 'start':
      return `node ${node} starts process ${number}`;
    case 'crash':
      return `node ${node} loses power in process ${number}`;
    case 'submit':
      return `a client hands node ${node} transaction ${shortHex(bytes)}`;
    case 'answered':
      return `node ${node} ${number === 1 ? 'admits' : 'refuses'} transaction ${shortHex(bytes)}`;
    case 'decided':
      return `node ${node} decides height ${number}: ${shortHex(bytes)}`;
    case 'penalty':
      return `node ${node} penalizes node ${other}`;
    case 'partition':
      return `nodes cannot talk in ${number} directions`;
    case 'heal':
      return 'nodes can all talk to one another';
    case 'damage':
      return `node ${node} has a disk that breaks its promises`;
    case 'signer':
      return (
        [`the signer of node ${node} loses power`, `node ${node} loses power beside its signer`, `node ${node} and its signer are cut off`][
          number
        ] ?? ''
      );
    case 'clock':
      return `node ${node} has its clock set`;
    case 'exit':
      return `node ${node} ends with an error`;
  }
}

function shortHex(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : toHex(bytes.subarray(0, 8));
}

/** The frame's kind, with height and round where it is about one vote. */
function frameName(
  bytes: Uint8Array | undefined,
  decode: (bytes: Uint8Array) => ReturnType<typeof decodeMessage> | ReturnType<typeof decodeRequest>,
): string {
  const decoded = bytes === undefined ? undefined : decode(bytes);
  if (decoded === undefined || !decoded.ok) return 'undecodable frame';
  const message = decoded.value;
  switch (message.kind) {
    case 'votes':
      return message.votes
        .map(
          ({ validator, kind, height, round, blockHash }) =>
            `${kind} of ${validator} at ${height}/${round} for ${blockHash === null ? 'nothing' : shortHex(blockHash)}`,
        )
        .join('; ');
    case 'proposal':
      return `proposal at ${message.proposal.height}/${message.proposal.round} valid ${message.proposal.validRound} of ${shortHex(message.proposal.blockHash)}`;
    case 'round-state':
      return `round state ${message.state.height}/${message.state.round} ${message.state.step}`;
    case 'headers':
    case 'blocks':
      return `${message.kind} from ${message.from}, ${message.count}`;
    case 'snapshot-parts':
      return `parts ${message.names.join(', ')} of the snapshot of ${message.height}`;
    case 'snapshots':
    case 'block':
    case 'bodies':
    case 'transactions':
    case 'decided':
    case 'instance':
    case 'instance-answer':
    case 'reach':
      return message.kind;
  }
}
