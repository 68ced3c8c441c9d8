/** A server and a client over the node:dgram floor: real sockets, real cryptography, no koffi needed. Runs under Wine too. */

import { describe, expect, it } from 'vitest';
import { Client, generatePrivateKey, mintToken, Server, unreliable } from '../../engine/index.ts';
import { sharedContext } from '../../engine/open.ts';

// Read when the shared context is opened, which is when it is first used.
process.env.TICKWIRE_SYS = 'dgram';

const PROTOCOL_ID = 7n;
const ROUNDS = 30;

describe('the engine over node:dgram', () => {
  it.each(['arrival', 'tick'] as const)(
    'connects with a token, echoes and parts in order, waking by %s',
    async (wake) => {
      expect(sharedContext().sys.capabilities.backend).toBe('dgram');
      const privateKey = generatePrivateKey();
      const channels = { echo: unreliable() };
      const server = await Server.listen({
        port: 0,
        protocolId: PROTOCOL_ID,
        privateKey,
        freshKey: true,
        wake,
        channels,
      });
      server.on('message', (peer, channel, message) => peer.send(channel, message.bytes(message.length)));
      const gone = new Promise<string>((resolve) => server.on('disconnect', (_peer, reason) => resolve(reason.code)));

      const token = await mintToken({ privateKey, protocolId: PROTOCOL_ID, clientId: 9, addresses: [server.address] });
      const client = await Client.connect({ token, channels });
      const heard: number[] = [];
      let hear = (_number: number) => {};
      client.on('message', (_channel, message) => hear(message.u8()));
      for (let number = 0; number < ROUNDS; number++) {
        const answer = new Promise<number>((resolve) => {
          hear = resolve;
        });
        client.send('echo', Uint8Array.of(number, 1, 2, 3));
        heard.push(await answer);
      }
      expect(heard).toEqual(Array.from({ length: ROUNDS }, (_, number) => number));

      await client.close('bye');
      expect(await gone).toBe('closed');
      await server.close('the end');
    },
  );
});
