import { describe, expect, test } from 'vitest';
import { DatagramBatch, NEVER } from '../../../sys/api.ts';
import * as states from '../../../transport/netcode/client-states.ts';
import { at, ClientStation, connectedPair, type Datagram, fill, mint, ServerStation, send, World } from './world.ts';

const CLIENT = at('10.0.0.2', 50000);
const DEAD = at('10.0.0.99', 40000);
const SERVER = at('10.0.0.1', 40000);
const second = 1_000_000;
const typeOf = (d: Datagram): number => d.bytes[0]! & 15;

function connecting(tokens: object, servers: ServerStation[] = []) {
  const world = new World();
  world.now += 2 * second;
  for (const server of servers) world.add(server);
  const client = world.add(new ClientStation(CLIENT));
  client.client.connect(mint(world, tokens), world.now);
  return { world, client };
}

describe('a client', () => {
  test('asks ten times a second and gives up after the timeout with state -2', () => {
    const { world, client } = connecting({ timeoutSeconds: 3 });
    const start = world.now;
    world.run(10 * second, () => client.ended.length > 0);
    expect(client.client.state).toBe(states.CLIENT_REQUEST_TIMED_OUT);
    expect(client.ended).toEqual([{ code: 'timeout', side: 'local', text: '' }]);
    expect(world.now - start).toBeGreaterThan(3 * second);
    expect(world.now - start).toBeLessThan(3.1 * second);
    const requests = world.log.filter((d) => d.bytes[0] === 0);
    expect(requests.length).toBeGreaterThan(24);
    expect(requests.length).toBeLessThanOrEqual(31);
    expect(client.client.deadline()).toBe(NEVER);
  });

  test('gives up with state -3 when its responses are not answered', () => {
    const server = new ServerStation();
    server.onAdmit = () => {};
    const { world, client } = connecting({ timeoutSeconds: 2 }, [server]);
    world.run(3 * second);
    expect(client.client.state).toBe(states.CLIENT_RESPONSE_TIMED_OUT);
  });

  test('gives up with state -4 when a connected server falls silent', () => {
    const { world, server, client } = connectedPair();
    world.passes = (d) => d.from !== server.address;
    world.run(4.5 * second);
    expect(client.client.state).toBe(states.CLIENT_CONNECTED);
    world.run(second);
    expect(client.client.state).toBe(states.CLIENT_TIMED_OUT);
    expect(client.ended).toEqual([{ code: 'timeout', side: 'local', text: '' }]);
  });

  test('ends with state -6 when its token runs out before a server answers', () => {
    const { world, client } = connecting({ timeoutSeconds: 30, lifetimeSeconds: 2 });
    world.run(3 * second);
    expect(client.client.state).toBe(states.CLIENT_TOKEN_EXPIRED);
    expect(client.ended).toEqual([{ code: 'token-expired', side: 'local', text: '' }]);
  });

  test('counts the life of its token over all servers it tries', () => {
    const { world, client } = connecting({
      timeoutSeconds: 1,
      lifetimeSeconds: 2,
      serverAddresses: [DEAD, DEAD, DEAD, DEAD],
    });
    world.run(3 * second);
    expect(client.client.state).toBe(states.CLIENT_TOKEN_EXPIRED);
  });

  test('sends nothing and ends with state -5 when its token is none', () => {
    const { world, client } = connecting({});
    client.client.connect(new Uint8Array(2048), world.now);
    world.run(second);
    expect(client.client.state).toBe(states.CLIENT_TOKEN_INVALID);
    expect(client.ended).toEqual([{ code: 'token-invalid', side: 'local', text: '' }]);
    expect(world.log).toEqual([]);
  });

  test('tries the next server when one does not answer, with packet numbers that go on', () => {
    const { world, client } = connecting({ timeoutSeconds: 1, serverAddresses: [DEAD, SERVER] }, [new ServerStation()]);
    world.run(2 * second);
    expect(client.client.state).toBe(states.CLIENT_CONNECTED);
    expect(client.client.serverIndex).toBe(1);
    expect(client.ended).toEqual([]);
    const response = world.log.find((d) => typeOf(d) === 3)!;
    expect(response.bytes[1]).toBeGreaterThan(9);
  });

  test('tries the next server when one is full, and reports its text when the last one is too', () => {
    const full = () => {
      const server = new ServerStation({ publicAddresses: [at('10.0.0.7', 1)] });
      server.onAdmit = (connection, now) => void server.server.refuse(connection, 'seven says no', now);
      return server;
    };
    const list = [at('10.0.0.7', 1), SERVER];
    const lucky = connecting({ serverAddresses: list }, [full(), new ServerStation()]);
    lucky.world.run(second);
    expect(lucky.client.client.state).toBe(states.CLIENT_CONNECTED);
    const unlucky = connecting({ serverAddresses: list.slice(0, 1) }, [full()]);
    unlucky.world.run(second);
    expect(unlucky.client.client.state).toBe(states.CLIENT_DENIED);
    expect(unlucky.client.ended).toEqual([{ code: 'denied', side: 'remote', text: 'seven says no' }]);
  });

  test('does not try the next server after a kick, with or without our reason packets', () => {
    for (const reasonsPass of [true, false]) {
      const server = new ServerStation();
      const { world, client } = connecting({ serverAddresses: [SERVER, DEAD] }, [server]);
      world.run(second);
      world.passes = (d) => reasonsPass || typeOf(d) !== 7;
      server.server.disconnect(0, 'kicked', 'out', world.now);
      world.run(second);
      expect(client.client.state).toBe(states.CLIENT_DISCONNECTED);
      const reason = reasonsPass ? { code: 'kicked', text: 'out' } : { code: 'closed', text: '' };
      expect(client.ended).toEqual([{ ...reason, side: 'remote' }]);
    }
  });

  test('confirms the connection at once, and sends a payload in place of a keep-alive', () => {
    const { world, client } = connectedPair();
    client.onTransmit = (batch, now) => void send(client.client, batch, 0, Uint8Array.of(1), now);
    const before = world.log.length;
    world.run(second);
    const types = world.log
      .slice(before)
      .filter((d) => d.from === client.address)
      .map(typeOf);
    expect(new Set(types)).toEqual(new Set([5]));
  });

  test('ignores what does not come from its server', () => {
    const { world, server, client } = connectedPair();
    const stranger = at('10.0.0.1', 40001);
    server.onTransmit = (batch, now) => void send(server.server, batch, 0, Uint8Array.of(1), now);
    const [genuine] = server.turn(world.now);
    client.receive([{ ...genuine!, from: stranger }], world.now, world.unixSeconds);
    expect(client.payloads).toEqual([]);
    expect(client.client.drops.unknownAddress).toBe(1);
    client.receive([genuine!], world.now, world.unixSeconds);
    expect(client.payloads.length).toBe(1);
    client.receive([genuine!], world.now, world.unixSeconds);
    expect(client.payloads.length).toBe(1);
    expect(client.client.drops.replayed).toBe(1);
  });

  test('drops payloads that come before the server took it in', () => {
    const server = new ServerStation();
    const { world, client } = connecting({}, [server]);
    server.onTransmit = (batch, now) => void send(server.server, batch, 0, Uint8Array.of(1), now);
    world.passes = (d) => !(d.from === server.address && typeOf(d) === 4);
    world.run(second);
    expect(client.payloads).toEqual([]);
    expect(client.client.drops.wrongState).toBeGreaterThan(5);
    expect(client.client.state).toBe(states.CLIENT_SENDING_RESPONSE);
  });

  test('does not use a packet number twice when it connects again with the same token', () => {
    const { world, client } = connecting({});
    const token = mint(world);
    const server = new ServerStation();
    world.add(server);
    world.passes = (d) => typeOf(d) !== 3; // so that both attempts send responses
    const nonces = new Set<string>();
    for (let attempt = 0; attempt < 2; attempt++) {
      client.client.connect(token, world.now);
      world.run(second);
    }
    for (const d of world.log.filter((d) => typeOf(d) === 3)) {
      const nonce = Buffer.from(d.bytes.slice(0, 1 + (d.bytes[0]! >> 4))).toString('hex');
      expect(nonces.has(nonce)).toBe(false);
      nonces.add(nonce);
    }
    expect(nonces.size).toBeGreaterThan(10);
  });

  test('its deadline is never past once a turn is done', () => {
    const { world, client } = connecting({}, [new ServerStation()]);
    for (let i = 0; i < 200; i++) {
      world.turn();
      expect(client.client.deadline()).toBeGreaterThan(world.now);
    }
  });

  test('a receive before the drain of earlier payloads is refused, since their bytes would be lost', () => {
    const { world, server, client } = connectedPair();
    server.onTransmit = (batch, now) => void send(server.server, batch, 0, Uint8Array.of(1), now);
    const batch = DatagramBatch.allocate(1, 2048);
    fill(batch, server.turn(world.now));
    client.client.receive(batch, world.now, world.unixSeconds);
    expect(() => client.client.receive(batch, world.now, world.unixSeconds)).toThrow('before drain()');
  });
});
