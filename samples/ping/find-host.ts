/** From a name, or an address in any spelling, to the bytes that sockets take. */

import { lookup } from 'node:dns/promises';
import { addressOf, isIPv4 } from 'tickwire/sys';

/** @param family 0: either; a name with both has the one that the system prefers */
export async function findHost(host: string, family: 0 | 4 | 6): Promise<Uint8Array> {
  const { address } = await lookup(host, { family });
  const peer = addressOf(address, 0);
  if (peer === null) throw new Error(`${address}: give the number of the interface, as in fe80::1%2`);
  // An address is not looked up, whatever the family that was asked for.
  if (family !== 0 && isIPv4(peer) !== (family === 4)) throw new Error(`${address} is no address of IPv${family}`);
  return peer;
}
