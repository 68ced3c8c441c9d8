/**
 * Honest players get in while somebody floods the server with forged connection requests: 20,000 a second, each of which
 * looks right until its token has been opened.
 */

import { describe, expect, it } from 'vitest';
import { unreliable } from '../../engine/channels.ts';
import { Client } from '../../engine/client.ts';
import { openContext } from '../../engine/open.ts';
import { Server } from '../../engine/server.ts';
import { mintToken } from '../../engine/token.ts';
import { addressOf, DatagramBatch, type DatagramSocket, parseAddress, type Rng, type Sys } from '../../sys/api.ts';
import { NetcodeClient } from '../../transport/netcode/netcode-client.ts';
import { inSmallWorld, KEY, SECOND, SERVER_ADDRESS } from './small-world.ts';

const FORGED_PER_SECOND = 20_000;
const HONEST = 40;
/** Of the honest ones, how many must be in within three seconds. */
const HONEST_MIN = Math.ceil(HONEST * 0.95);
const CHANNELS = { state: unreliable() };

/** Sends forged requests from many sockets. */
class Flood {
  sent = 0;
  readonly #sockets: readonly DatagramSocket[];
  readonly #request: Uint8Array;
  readonly #target: Uint8Array;
  readonly #rng: Rng;

  constructor(sockets: readonly DatagramSocket[], request: Uint8Array, target: Uint8Array, rng: Rng) {
    this.#sockets = sockets;
    this.#request = request;
    this.#target = target;
    this.#rng = rng;
  }

  /** A burst of `count`, spread over the sockets. */
  burst(count: number): void {
    for (let i = 0; i < count; i++) {
      const { tx } = this.#sockets[(this.sent + i) % this.#sockets.length]!;
      const slot = tx.count++;
      const at = tx.home(slot);
      tx.offset[slot] = at;
      tx.length[slot] = this.#request.length;
      tx.arena.set(this.#request, at);
      // Another forgery each time: the sealed part differs, so nothing can be remembered of it.
      tx.view.setUint32(at + 200, this.#rng.u32());
      tx.address.set(this.#target, slot * 24);
    }
    for (const socket of this.#sockets) {
      socket.flush();
      socket.tx.count = 0; // what the kernel did not take is not worth a second try
    }
    this.sent += count;
  }
}

/** The bytes of a request with a real token of this server, so that all its clear fields are right. */
function requestOf(token: Uint8Array, sys: Sys): Uint8Array {
  const client = new NetcodeClient({}, sys.openAead(1, 2048), sys.rng);
  const batch = DatagramBatch.allocate(4, 2048);
  client.connect(token, 0);
  client.transmit(batch, 0);
  return batch.arena.slice(batch.offset[0]!, batch.offset[0]! + batch.length[0]!);
}

describe('under a flood of forged requests', () => {
  it('honest clients connect within three seconds, in the simulator', () =>
    inSmallWorld(async ({ world, server: host, client, token }) => {
      const server = await host.listen({
        port: 40_000,
        host: '0.0.0.0',
        publicAddresses: [SERVER_ADDRESS],
        privateKey: KEY,
        freshKey: true,
        protocolId: 7,
        channels: CHANNELS,
      });
      const attacker = world.host('attacker');
      const request = requestOf(await token(99n), attacker.sys);
      const any = addressOf('0.0.0.0', 0)!;
      const sockets = await Promise.all(Array.from({ length: 100 }, () => attacker.sys.openUdp(any, { txSlots: 64 })));
      const flood = new Flood(sockets, request, parseAddress(SERVER_ADDRESS)!, attacker.sys.rng);
      for (let ms = 10; ms < 8000; ms += 10) {
        world.start(attacker, world.now + ms * 1000, () => flood.burst(FORGED_PER_SECOND / 100));
      }
      await host.sleep(SECOND);
      const outcomes = await Promise.all(
        Array.from({ length: HONEST }, async (_, index) => {
          await host.sleep(index * 50_000 + 1);
          const start = host.now();
          await client().connect({ token: await token(BigInt(1000 + index)), channels: CHANNELS });
          return host.now() - start;
        }),
      );
      expect(outcomes.filter((micros) => micros <= 3 * SECOND).length).toBeGreaterThanOrEqual(HONEST_MIN);
      expect(flood.sent).toBeGreaterThan(2.5 * FORGED_PER_SECOND);
      expect(server.drops.requestForged! + server.drops.requestBudget!).toBeGreaterThan(FORGED_PER_SECOND);
      expect(server.peers).toHaveLength(HONEST);
    }));

  it('honest clients connect within three seconds, over loopback', { timeout: 60_000 }, async () => {
    const context = openContext();
    const { sys, runtime } = context;
    runtime.attach();
    const server = await Server.listen(
      { port: 0, privateKey: KEY, freshKey: true, protocolId: 7, channels: CHANNELS },
      context,
    );
    const mint = (clientId: number) =>
      mintToken({ privateKey: KEY, protocolId: 7, clientId, addresses: [server.address] }, context);
    const request = requestOf(await mint(1), sys);
    // Addresses from all over 127.0.0.0/8, where the system lets us have them.
    const sockets = await Promise.all(
      Array.from({ length: 64 }, (_, i) => {
        const from =
          sys.capabilities.backend === 'linux' ? `127.${1 + (i % 200)}.${(i * 7) % 250}.${1 + i}` : '127.0.0.1';
        return sys.openUdp(addressOf(from, 0)!, { rxSlots: 1, txSlots: 64 });
      }),
    );
    const flood = new Flood(sockets, request, parseAddress(server.address)!, sys.rng);
    const start = sys.clock.now();
    const attack = setInterval(() => {
      const due = ((sys.clock.now() - start) * FORGED_PER_SECOND) / SECOND - flood.sent;
      flood.burst(Math.min(2000, Math.floor(due))); // a paused process does not make up for more than a tenth of a second
    }, 5);
    try {
      const outcomes = await Promise.all(
        Array.from({ length: HONEST }, async (_, index) => {
          await runtime.sleep(SECOND / 2 + index * 50_000);
          const token = await mint(1000 + index);
          const began = sys.clock.now();
          const client = await Client.connect({ token, channels: CHANNELS }, context);
          return { micros: sys.clock.now() - began, client };
        }),
      );
      expect(outcomes.filter(({ micros }) => micros <= 3 * SECOND).length).toBeGreaterThanOrEqual(HONEST_MIN);
      expect(flood.sent).toBeGreaterThan(FORGED_PER_SECOND);
      expect(server.drops.requestForged! + server.drops.requestBudget!).toBeGreaterThan(FORGED_PER_SECOND / 2);
      await Promise.all(outcomes.map(({ client }) => client.close()));
    } finally {
      clearInterval(attack);
      for (const socket of sockets) socket.close();
      await server.close();
      runtime.detach();
    }
  });
});
