/** Version of everything in a node's store. A store with a later one is refused. */
export const STORE_FORMAT_VERSION = 3;
