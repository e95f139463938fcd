import { RpcError } from './errors.ts';

export interface AccessOptions {
  /** Where the server listens. */
  readonly host: string;
  readonly port: number;
  /** Further values of the Host header, `name` or `name:port`. */
  readonly allowedHosts: readonly string[];
  /** Further values of the Origin header, `scheme://name[:port]`. */
  readonly allowedOrigins: readonly string[];
}

/** Headers as the server has read them. */
interface Headers {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
}

const LOOPBACK_NAMES: readonly string[] = ['127.0.0.1', 'localhost', '[::1]'];

/**
 * Keeps web pages out. Any page can send requests to localhost: those of foreign pages name their origin, and those of a page
 * whose name was made to point here (DNS rebinding) name a foreign host.
 */
export class Access {
  readonly #hosts: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;

  constructor({ host, port, allowedHosts, allowedOrigins }: AccessOptions) {
    const own = [...LOOPBACK_NAMES, hostInUrl(host)].map((name) => `${name}:${port}`);
    this.#hosts = new Set([...own, ...allowedHosts].map((name) => name.toLowerCase()));
    this.#origins = new Set([...own.map((name) => `http://${name}`), ...allowedOrigins].map((origin) => origin.toLowerCase()));
  }

  /** @throws {RpcError} `HOST_FORBIDDEN`, `ORIGIN_FORBIDDEN` */
  check({ host, origin }: Headers): void {
    if (host === undefined || !this.#hosts.has(host.toLowerCase())) throw new RpcError('HOST_FORBIDDEN', { host: shown(host) });
    // Programs send none.
    if (origin !== undefined && !this.#origins.has(origin.toLowerCase())) throw new RpcError('ORIGIN_FORBIDDEN', { origin: shown(origin) });
  }
}

/** An address as it stands in a URL: IPv6 in brackets. */
export function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function shown(value: string | undefined): string | null {
  return value?.slice(0, 100) ?? null;
}
