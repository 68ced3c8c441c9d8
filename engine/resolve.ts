/** Host names by the operating system's resolver. */

import { lookup } from 'node:dns/promises';

/** Numeric addresses of `hostName`, IPv4 first: a server's token lists what most players can reach. */
export async function resolveHostName(hostName: string): Promise<readonly string[]> {
  const found = await lookup(hostName, { all: true });
  return found.sort((a, b) => a.family - b.family).map(({ address }) => address);
}
