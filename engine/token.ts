/** Connect tokens: what a game's backend gives a player who has logged in, and all that a player needs to connect. */

import { mintConnectToken } from '../transport/netcode/token.ts';
import { type EngineContext, resolveEndpointText } from './context.ts';
import { ConfigError } from './errors.ts';
import { sharedContext } from './open.ts';
import { checkPrivateKeys, checkProtocolId, checkRange, PRIVATE_KEY_BYTES } from './options.ts';

export interface TokenOptions {
  /** The 32 bytes shared with the game servers. */
  readonly privateKey: Uint8Array;
  /** Who the player is: 0 .. 2^64 - 1, one connection each. */
  readonly clientId: bigint | number;
  /** The servers to try in turn: `203.0.113.7:40000`, `[2001:db8::7]:40000`, `name:40000`; 1 to 32. */
  readonly addresses: readonly string[];
  readonly protocolId?: bigint | number;
  /** Seconds until the token runs out. Default 30: long enough to connect, short enough to be worth little when stolen. */
  readonly expireSeconds?: number;
  /** Seconds without a packet after which either side gives up. Default 15; negative: never (for debuggers). */
  readonly timeoutSeconds?: number;
  /** Up to 256 bytes for the game server (`peer.userData`): name, rating, ... Encrypted. */
  readonly userData?: Uint8Array;
}

const USER_DATA_BYTES = 256;

/** Mints a connect token of 2,048 bytes. Send it to the player over https: it holds the keys of the session. */
export async function mintToken(options: TokenOptions, context: EngineContext = sharedContext()): Promise<Uint8Array> {
  const [privateKey] = checkPrivateKeys(options.privateKey);
  const addresses = await Promise.all(options.addresses.map((text) => resolveEndpointText(context, 'addresses', text)));
  const userData = new Uint8Array(USER_DATA_BYTES);
  if (options.userData !== undefined) {
    if (options.userData.length > USER_DATA_BYTES) {
      throw new ConfigError('userData', `at most ${USER_DATA_BYTES} bytes, these are ${options.userData.length}`);
    }
    userData.set(options.userData);
  }
  const flat = addresses.flat();
  return mintConnectToken(
    {
      privateKey: privateKey!,
      protocolId: checkProtocolId(options.protocolId),
      clientId: checkClientId(options.clientId),
      publicAddresses: flat,
      privateAddresses: flat,
      expireSeconds: checkRange('expireSeconds', options.expireSeconds ?? 30, 1, 86_400),
      timeoutSeconds: checkRange('timeoutSeconds', options.timeoutSeconds ?? 15, -1, 3600),
      userData,
    },
    context.sys.openAead(1, 64),
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

function checkClientId(given: bigint | number): bigint {
  const id = typeof given === 'bigint' ? given : Number.isSafeInteger(given) ? BigInt(given) : -1n;
  if (id < 0n || id >= 1n << 64n) throw new ConfigError('clientId', 'give a whole number from 0 to 2^64 - 1');
  return id;
}
