/** Exit statuses of `nacre` and `scripts/testnet`; the table in the README is the same. */
export const EXIT = {
  done: 0,
  /** A bug, or something that no other row names. */
  unexpected: 1,
  /** Unknown command or option, or a value out of range. */
  usage: 2,
  /** Configuration, genesis, key or home: missing, invalid, or of another network. */
  configuration: 3,
  /** No node answers where one was asked for. */
  unreachable: 4,
  /** The node answered, and refused. */
  refused: 5,
  /** A proof does not hold, or a store is not what was decided. */
  invalid: 6,
  /** A port or a home is in use by another process. */
  inUse: 7,
  /** The disk failed, is full, or holds damage. */
  storage: 8,
  /** What was submitted is not final yet; it may still be decided. */
  pending: 9,
} as const;

type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** By the code of the error, or by how it begins. The first row that fits counts. */
const STATUS_OF: readonly (readonly [pattern: RegExp, status: ExitStatus])[] = [
  [/^(ARGUMENT_INVALID|SHARDS_UNSUPPORTED|CSV_.*)$/, EXIT.usage],
  [/^(STORE_LOCKED|PORT_IN_USE|PORT_BUSY|HOME_IN_USE|SIGNER_SOCKET_IN_USE)$/, EXIT.inUse],
  [/^(STORE_FOREIGN|STORE_NEWER|STORE_OLDER|LEDGER_FOREIGN|INPUT_INVALID|CHECKPOINT_INVALID)$/, EXIT.configuration],
  [
    /^(CONFIG_|FILE_|HOME_|GENESIS_|KEY_|MULTIADDR_INVALID|PEER_KEY_INVALID|TLS_GROUPS_|LISTEN_FAILED|NATIVE_|TESTNET_|SIGNER_)/,
    EXIT.configuration,
  ],
  [/^(RPC_UNREACHABLE|ADMIN_UNREACHABLE)$/, EXIT.unreachable],
  [/^(RPC_REFUSED|ADMIN_REFUSED|SNAPSHOT_OLD|SNAPSHOT_NONE)$/, EXIT.refused],
  [/^(PROOF_INVALID|CHECKPOINT_EXPIRED|CHECK_FAILED|SNAPSHOT_INVALID)$/, EXIT.invalid],
  [/^(STORE_|LEDGER_|JOURNAL_|DIRECTORY_)/, EXIT.storage],
  [/^NOT_FINAL$/, EXIT.pending],
];

export function exitStatusOf(code: string): ExitStatus {
  return STATUS_OF.find(([pattern]) => pattern.test(code))?.[1] ?? EXIT.unexpected;
}
