/** A server and a client over a backend that is not the machine's first choice: real sockets, real cryptography. */

import { describe, expect, it } from 'vitest';
import { Client, generatePrivateKey, mintToken, Server, unreliable } from '../../engine/index.ts';
import { sharedContext } from '../../engine/open.ts';
import type { Backend } from '../../sys/index.ts';

const PROTOCOL_ID = 7n;
const ROUNDS = 30;
const CHANNELS = { echo: unreliable() };

/**
 * Declares the tests. One backend a process: `TICKWIRE_SYS` is read when the shared context is first used.
 *
 * @param name as its capabilities call it
 */
export function describeEngineOver(backend: Backend, name: string): void {
  process.env.TICKWIRE_SYS = backend;
  describe(`the engine over ${name}`, () => {
    it.each(['arrival', 'tick'] as const)(
      'connects with a token, is echoed and parts in order, waking by %s',
      async (wake) => {
        expect(sharedContext().sys.capabilities.backend).toBe(name);
        const privateKey = generatePrivateKey();
        const server = await Server.listen({
          port: 0,
          protocolId: PROTOCOL_ID,
          privateKey,
          freshKey: true,
          wake,
          channels: CHANNELS,
        });
        server.on('message', (peer, channel, message) => peer.send(channel, message.bytes(message.length)));
        const gone = new Promise<string>((resolve) => server.on('disconnect', (_peer, reason) => resolve(reason.code)));

        const token = await mintToken({
          privateKey,
          protocolId: PROTOCOL_ID,
          clientId: 9,
          addresses: [server.address],
        });
        const client = await Client.connect({ token, channels: CHANNELS });
        for (let number = 0; number < ROUNDS; number++) {
          // A datagram may be lost, also on a loaded loopback: said again until the answer is there.
          const again = setInterval(() => client.send('echo', Uint8Array.of(number, 1, 2, 3)), 100);
          client.send('echo', Uint8Array.of(number, 1, 2, 3));
          await answerTo(client, number).finally(() => clearInterval(again));
        }

        await client.close('bye');
        expect(await gone).toBe('closed');
        await server.close('the end');
      },
    );
  });
}

/** Resolves with the echo of `number`; rejects when the connection ends instead. */
function answerTo(client: Client<typeof CHANNELS>, number: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const hear = (_channel: string, message: { u8(): number }) => {
      if (message.u8() !== number) return;
      client.off('message', hear);
      resolve();
    };
    client.on('message', hear);
    client.once('disconnect', (reason) => reject(new Error(`disconnected: ${reason.code}`)));
  });
}
