/** The way to the network as an embedder says it and reads it: options of a server, a host and workers, `way` and `drops`. */

import { describe, expect, it } from 'vitest';
import {
  type BackendOptions,
  bytes,
  Client,
  ConfigError,
  createHost,
  generatePrivateKey,
  mintToken,
  Server,
  startWorkers,
  unreliable,
} from '../../engine/index.ts';
import { sharedContext } from '../../engine/open.ts';
import { addressOf } from '../../sys/api.ts';
import { append } from '../conformance/outside.ts';
import { pattern } from '../conformance/workbench.ts';
import { NEAR } from '../sys/linux/namespaces.ts';
import { openLinux, whyNoXdp, XdpPair } from '../sys/xdp/veth.ts';

const why = whyNoXdp();
const channels = { talk: unreliable(bytes()) };
const LOUD = '198.51.100.77';
const FLOOD = 2000;
const BATCH = 50;
const WRONG = { backend: 'xdp', admission: { datagramsPerSecond: 0 } } as const;
const SAID = { field: 'sys.admission.datagramsPerSecond', message: expect.stringContaining('from 1 to 10000000') };

describe('the option sys', () => {
  it('is checked at every door, and the error names the option', async () => {
    const options = { port: 0, insecure: true, channels };
    await expect(Server.listen({ ...options, sys: WRONG })).rejects.toMatchObject(SAID);
    await expect(Client.connect({ insecureAddress: '127.0.0.1:1', channels, sys: WRONG })).rejects.toMatchObject(SAID);
    expect(() => createHost('a', WRONG)).toThrow(ConfigError);
    const moduleUrl = new URL('file:///nowhere.js');
    await expect(startWorkers({ workers: 1, moduleUrl, port: 0, sys: WRONG })).rejects.toMatchObject(SAID);
    const misspelt = 'upd' as 'udp';
    await expect(Server.listen({ ...options, sys: misspelt })).rejects.toMatchObject({ field: 'sys' });
  });

  it('gives what is asked for, and the server says what that is', async () => {
    for (const sys of ['dgram', { backend: 'dgram' }] as const) {
      const server = await Server.listen({ port: 0, insecure: true, channels, sys });
      expect(server.way).toEqual({ backend: 'dgram', details: '', fallback: '' });
      await server.close();
    }
  });
});

describe.skipIf(why !== '')(`a server over a veth${why === '' ? '' : ` (${why})`}`, () => {
  it('drops a flood of one source in the kernel, shows it among its drops, and an honest client plays on', async () => {
    const pair = new XdpPair('engine');
    const outside = openLinux();
    const sys: BackendOptions = {
      backend: 'xdp',
      interface: 'near',
      admission: { datagramsPerSecond: 200, burst: 100 },
    };
    try {
      pair.introduce();
      pair.addFar(LOUD);
      const privateKey = generatePrivateKey();
      const server = await pair.within(pair.near, () =>
        Server.listen({ port: 0, host: NEAR, privateKey, freshKey: true, channels, sys }),
      );
      expect(server.way).toEqual({
        backend: 'xdp',
        details: 'near, native, copied, 1 queue, each source 200 datagrams a second',
        fallback: '',
      });
      expect(server.drops).toMatchObject({ notAdmitted: 0, framesWithoutRoom: 0 });
      server.on('message', (peer, _channel, message) => void peer.send('talk', message.slice()));
      const token = await mintToken({ privateKey, clientId: 1, addresses: [server.address] });
      const client = await pair.within(pair.far, () => Client.connect({ token, channels, sys: 'udp' }));
      const flood = await pair.openUdp(outside, 'far', LOUD, 0, { gso: false });
      const target = addressOf(NEAR, server.port)!;
      let echoes = 0;
      client.on('message', () => void echoes++);
      for (let sent = 0; sent < FLOOD; sent += BATCH) {
        for (let i = 0; i < BATCH; i++) append(flood, target, pattern(60, i));
        flood.flush();
        client.send('talk', pattern(20, sent));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await expect.poll(() => echoes).toBeGreaterThan(20);
      const { notAdmitted } = server.drops;
      expect(notAdmitted).toBeGreaterThan(FLOOD / 10);
      expect(notAdmitted).toBeLessThanOrEqual(FLOOD - 100);
      expect(server.peers).toHaveLength(1);
      await client.close();
      await server.close();
    } finally {
      sharedContext(sys).sys.close();
      outside.close();
      pair.close();
    }
  });
});
