/**
 * A process of its own: a server whose clients connect and then say nothing. When all have been there for a while it collects
 * its garbage, says what memory it uses, and ends.
 *
 * Arguments: channels (4 or 8), clients.
 */

import { openContext } from '../../engine/open.ts';
import { Server } from '../../engine/server.ts';
import { collectGarbage } from '../sys/collect-garbage.ts';
import { report } from './bench-child.ts';
import { channelsOf, PRIVATE_KEY, TOKEN_LIFETIME_SECONDS } from './memory-workload.ts';

const TICK_RATE_HZ = 20;
/** Hellos, connection ids and the first time frames (3 s) have been sent and acked by then. */
const REST_TICKS: number = 6 * TICK_RATE_HZ;

const [channels, clients] = process.argv.slice(2).map(Number) as [number, number];
const context = openContext();
const server = await Server.listen(
  {
    port: 0,
    privateKey: PRIVATE_KEY,
    freshKey: true,
    maxClients: clients,
    tickRateHz: TICK_RATE_HZ,
    tokenLifetimeMaxSeconds: TOKEN_LIFETIME_SECONDS,
    channels: channelsOf(channels),
  },
  context,
);

server.on('connect', (peer) => void peer.userData); // a game reads it: the copy that it gets is counted

let restedTicks = 0;
server.on('tick', () => {
  if (server.peers.length < clients) restedTicks = 0;
  else if (++restedTicks === REST_TICKS) finish();
});

function finish(): void {
  collectGarbage();
  collectGarbage(); // memory of arrays that the first one found dead is freed by now
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  report({ heap: heapUsed, arrays: arrayBuffers, rss });
  process.exit(0);
}

report({ port: server.port });
await context.runtime.run();
