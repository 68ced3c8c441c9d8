import { expect, test } from 'vitest';
import { CLIENT_CONNECTED } from '../../../transport/netcode/client-states.ts';
import { dropsTotal } from '../../../transport/netcode/drop-counters.ts';
import { at, ClientStation, connectedPair, key, mint, ServerStation, send, World } from './world.ts';

test('a client with a token connects and both learn who the other is', () => {
  const world = new World();
  const server = world.add(new ServerStation());
  const client = world.add(new ClientStation(at('10.0.0.2', 50000)));
  const userData = Uint8Array.from({ length: 256 }, (_, i) => 255 - i);
  client.client.connect(mint(world, { clientId: 0xfedcba9876543210n, userData }), world.now);
  expect(world.run(1_000_000, () => client.connected.length > 0)).toBe(true);
  expect(client.connected[0]).toMatchObject({ index: 0, maxClients: 16 });
  expect(client.client.state).toBe(CLIENT_CONNECTED);
  expect(server.connected).toEqual([0]);
  expect(server.server.clientIdOf(0)).toBe(0xfedcba9876543210n);
  expect(server.server.userDataOf(0)).toEqual(userData);
  expect(key(server.server.addressOf(0))).toBe(key(client.address));
  expect(dropsTotal(server.server.drops)).toBe(0);
});

test('payloads go both ways, unchanged and in order, with growing packet numbers', () => {
  const { world, server, client } = connectedPair();
  const sizes = [1, 15, 16, 17, 100, 1199, 1200];
  const bytesOf = (size: number) => Uint8Array.from({ length: size }, (_, i) => i + size);
  let done = false;
  server.onTransmit = (batch, now) => {
    if (!done) for (const size of sizes) send(server.server, batch, 0, bytesOf(size), now);
  };
  client.onTransmit = (batch, now) => {
    if (!done) for (const size of sizes) send(client.client, batch, 0, bytesOf(size), now);
    done = true;
  };
  world.run(200_000);
  expect(server.payloads.map((p) => p.bytes)).toEqual(sizes.map(bytesOf));
  expect(client.payloads.map((p) => p.bytes)).toEqual(sizes.map(bytesOf));
  for (const { payloads } of [server, client]) {
    for (let i = 1; i < payloads.length; i++) expect(payloads[i]!.number).toBeGreaterThan(payloads[i - 1]!.number);
  }
});

test('a kick reaches the client with its text, and the number is free again', () => {
  const { world, server, client } = connectedPair({ maxClients: 1 });
  server.server.disconnect(0, 'kicked', 'no shouting', world.now);
  world.run(200_000);
  expect(client.ended).toEqual([{ code: 'kicked', side: 'remote', text: 'no shouting' }]);
  expect(server.ended).toEqual([{ connection: 0, reason: { code: 'kicked', side: 'local', text: 'no shouting' } }]);
  expect(server.server.connectionsTaken).toBe(0);
});

test('a client that leaves is heard at once, with its text', () => {
  const { world, server, client } = connectedPair();
  client.client.disconnect('closed', 'dinner', world.now);
  world.run(100_000);
  expect(server.ended).toEqual([{ connection: 0, reason: { code: 'closed', side: 'remote', text: 'dinner' } }]);
  expect(client.ended).toEqual([{ code: 'closed', side: 'local', text: 'dinner' }]);
});
