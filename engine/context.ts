/** What an engine object stands on: a machine (real or simulated), an executor, and names turned into addresses. */

import { addressOf, type Sys } from '../sys/api.ts';
import { ConfigError } from './errors.ts';
import type { Runtime } from './executor/runtime.ts';
import type { MessageTap } from './message-tap.ts';
import type { Member } from './workers/member.ts';

export interface EngineContext {
  readonly sys: Sys;
  readonly runtime: Runtime;
  /** Numeric addresses of a host name, best first. Rejects when there is none. */
  readonly resolve: (hostName: string) => Promise<readonly string[]>;
  /** Something the operator should see, once: development mode, a missing capability. */
  readonly warn: (text: string) => void;
  /** Told of every message. Default: nobody. */
  readonly tap?: MessageTap;
  /** The place of this thread in a group of workers that share a port. Default: it is alone. */
  readonly member?: Member;
}

/**
 * Canonical addresses of `host` (a name or numeric) and `port`.
 *
 * @param field the option that it came from, for the error
 */
export async function resolveAddress(
  context: Pick<EngineContext, 'resolve'>,
  field: string,
  host: string,
  port: number,
): Promise<readonly Uint8Array[]> {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new ConfigError(field, `port ${port} is not a whole number from 0 to 65535`);
  }
  const numeric = addressOf(host, port);
  if (numeric !== null) return [numeric];
  if (!/^[a-z0-9_.-]+$/i.test(host)) {
    throw new ConfigError(
      field,
      `'${host}' is neither an address nor a host name; write 203.0.113.7, 2001:db8::7 or a name`,
    );
  }
  const found = await context.resolve(host).catch((cause: unknown) => {
    throw new ConfigError(
      field,
      `the host name '${host}' has no address (${(cause as Error).message}); check the spelling and the DNS`,
    );
  });
  const addresses = found.map((text) => addressOf(text, port)).filter((address) => address !== null);
  if (addresses.length === 0) throw new ConfigError(field, `the host name '${host}' has no address`);
  return addresses;
}

/** The same for `host:port`, `[ipv6]:port` or `name:port`. */
export async function resolveEndpointText(
  context: Pick<EngineContext, 'resolve'>,
  field: string,
  text: string,
): Promise<readonly Uint8Array[]> {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (match === null) {
    throw new ConfigError(
      field,
      `'${text}' is not an address with a port; write 203.0.113.7:40000, [2001:db8::7]:40000 or name:40000`,
    );
  }
  return resolveAddress(context, field, match[1] ?? match[2]!, Number(match[3]));
}
