/**
 * Who a server is: the keys it trusts and the addresses that tokens must list. Where an option would leave it open to
 * everybody, or unreachable, that is said here, before anything is bound.
 */

import { formatAddress, isIPv4 } from '../sys/api.ts';
import { ConfigError } from '../transport/config-error.ts';
import type { Channels } from './channel-types.ts';
import { type EngineContext, resolveEndpointText } from './context.ts';
import { checkPrivateKeys, PRIVATE_KEY_BYTES, type ServerOptions } from './options.ts';

/** The private keys: those given, or the well-known one of development mode, loudly and on loopback only. */
export function serverKeys<C extends Channels>(
  options: ServerOptions<C>,
  local: Uint8Array,
  context: EngineContext,
): readonly Uint8Array[] {
  if (!options.insecure) return checkPrivateKeys(options.privateKey);
  if (options.privateKey !== undefined) throw new ConfigError('insecure', 'leave it out: a private key is given');
  if (!isLoopback(local)) {
    throw new ConfigError(
      'insecure',
      `refused on ${formatAddress(local)}: without a key anybody can take any player's place; bind 127.0.0.1 or ::1, or give a privateKey`,
    );
  }
  context.warn(
    `insecure server on ${formatAddress(local)}: no private key, anybody on this machine may connect as anybody. For development only.`,
  );
  return [new Uint8Array(PRIVATE_KEY_BYTES)];
}

/** The addresses that tokens must list; null: the bound one. */
export async function publicAddresses<C extends Channels>(
  options: ServerOptions<C>,
  local: Uint8Array,
  context: EngineContext,
): Promise<readonly Uint8Array[] | null> {
  const given = options.publicAddresses ?? [];
  if (given.length > 32) throw new ConfigError('publicAddresses', `at most 32, these are ${given.length}`);
  if (given.length > 0) {
    const resolved = await Promise.all(given.map((text) => resolveEndpointText(context, 'publicAddresses', text)));
    return resolved.flat();
  }
  if (isWildcard(local)) {
    throw new ConfigError(
      'publicAddresses',
      `must be given when host is '${options.host}': the address as players dial it, as in ['203.0.113.7:${options.port}']`,
    );
  }
  return null;
}

function isLoopback(address: Uint8Array): boolean {
  return isIPv4(address)
    ? address[12] === 127
    : address[15] === 1 && address.subarray(0, 15).every((byte) => byte === 0);
}

function isWildcard(address: Uint8Array): boolean {
  return address.subarray(isIPv4(address) ? 12 : 0, 16).every((byte) => byte === 0);
}
