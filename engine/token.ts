/** Connect tokens: what a game's backend gives a player who has logged in, and all that a player needs to connect. */

import type { Aead, Sys } from '../sys/api.ts';
import { mintConnectToken } from '../transport/netcode/token.ts';
import { type EngineContext, resolveEndpointText } from './context.ts';
import { sharedContext } from './open.ts';
import { checkU64Option, PRIVATE_KEY_BYTES } from './options.ts';

export interface TokenOptions {
  /** The 32 bytes shared with the game servers. */
  readonly privateKey: Uint8Array;
  /** Who the player is: 0 .. 2^64 - 1, one connection each. */
  readonly clientId: bigint | number;
  /** The servers to try in turn: `203.0.113.7:40000`, `[2001:db8::7]:40000`, `name:40000`; 1 to 32. */
  readonly addresses: readonly string[];
  readonly protocolId?: bigint | number;
  /** Seconds until the token runs out. Default 30: long enough to connect, short enough to be worth little when stolen. */
  readonly lifetimeSeconds?: number;
  /** Seconds without a packet after which either side gives up. Default 5; negative: never (for debuggers). */
  readonly timeoutSeconds?: number;
  /** The same for the client alone: shorter, it has time to come back to a server with `resume`. Default `timeoutSeconds`. */
  readonly clientTimeoutSeconds?: number;
  /** Up to 256 bytes for the game server (`peer.userData`): name, rating, ... Encrypted. */
  readonly userData?: Uint8Array;
}

/** Mints a connect token of 2,048 bytes. Send it to the player over https: it holds the keys of the session. */
export async function mintToken(options: TokenOptions, context: EngineContext = sharedContext()): Promise<Uint8Array> {
  const resolved = await Promise.all(options.addresses.map((text) => resolveEndpointText(context, 'addresses', text)));
  const { privateKey, lifetimeSeconds, timeoutSeconds, clientTimeoutSeconds, userData } = options;
  return mintConnectToken(
    {
      privateKey,
      protocolId: checkU64Option('protocolId', options.protocolId),
      clientId: checkU64Option('clientId', options.clientId),
      serverAddresses: resolved.flat(),
      ...(lifetimeSeconds === undefined ? {} : { lifetimeSeconds }),
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
      ...(clientTimeoutSeconds === undefined ? {} : { clientTimeoutSeconds }),
      ...(userData === undefined ? {} : { userData }),
    },
    tokenAead(context.sys),
    context.sys.rng,
    context.sys.clock.unixSeconds(),
  );
}

/** A fresh private key, 32 bytes from the system's entropy. */
export function generatePrivateKey(context: EngineContext = sharedContext()): Uint8Array {
  const key = new Uint8Array(PRIVATE_KEY_BYTES);
  context.sys.rng.fill(key);
  return key;
}

/** One for each machine: tokens are sealed one at a time and not as datagrams, so the smallest scratch will do. */
const tokenAeads = new WeakMap<Sys, Aead>();

function tokenAead(sys: Sys): Aead {
  let aead = tokenAeads.get(sys);
  if (aead === undefined) {
    aead = sys.openAead(1, 64);
    tokenAeads.set(sys, aead);
  }
  return aead;
}
