import { expect, test } from 'vitest';
import { chooseAead } from '../../../sys/aead/choose.ts';
import { ADDRESS_BYTES, type Aead, DatagramBatch, type Micros } from '../../../sys/api.ts';
import { NetcodeServer, type NetcodeServerSink } from '../../../transport/netcode/netcode-server.ts';
import { associatedDataOf, PACKET_PAYLOAD, PACKET_PAYLOAD_WITH_ID } from '../../../transport/netcode/packets.ts';
import { Sessions } from '../../../transport/netcode/sessions.ts';
import { heapBytesOfSlices } from '../../sys/collect-garbage.ts';
import {
  at,
  ClientStation,
  type Datagram,
  key,
  mint,
  PRIVATE_KEY,
  PROTOCOL_ID,
  ServerStation,
  seededRng,
  World,
} from './world.ts';

const second = 1_000_000;

/** Counts the keys that an AEAD holds. */
function countKeys(aead: Aead): { live: number } {
  const counter = { live: 0 };
  const load = aead.load.bind(aead);
  const free = aead.free.bind(aead);
  aead.load = (bytes, associated) => {
    counter.live++;
    return load(bytes, associated);
  };
  aead.free = (id) => {
    counter.live--;
    free(id);
  };
  return counter;
}

test('clients that come and go in every way leave no key, no slot and no handshake behind', () => {
  const world = new World();
  world.now += 2 * second;
  const server = world.add(new ServerStation({ maxClients: 8, handshakesMax: 16, tokenHistoryMax: 4096 }));
  const keys = countKeys(server.aead);
  const rng = seededRng(11);
  server.onAdmit = (connection, now) => {
    if (rng.u32() % 3 === 0) server.server.refuse(connection, 'no', now);
    else if (rng.u32() % 8 > 0) server.server.accept(connection, now);
  };
  const shared = chooseAead(64, 2048);
  const clients = Array.from({ length: 12 }, (_, i) =>
    world.add(new ClientStation(at('10.0.1.1', 100 + i), {}, seededRng(i), shared)),
  );
  let id = 0n;
  world.passes = () => rng.u32() % 10 > 0;
  for (let turn = 0; turn < 1500; turn++) {
    world.turn();
    const client = clients[rng.u32() % clients.length]!;
    if (client.client.state <= 0)
      client.client.connect(mint(world, { clientId: ++id, timeoutSeconds: 2 }, turn), world.now);
    else if (rng.u32() % 4 === 0) client.client.disconnect('closed', 'bye', world.now);
    if (rng.u32() % 20 === 0) server.server.disconnect(rng.u32() % 8, 'kicked', 'go', world.now);
  }
  expect(server.connected.length).toBeGreaterThan(50);
  expect(server.ended.length).toBeGreaterThan(100);
  for (const client of clients) client.client.disconnect('closed', '', world.now);
  world.run(15 * second);
  expect(server.server.connectionsTaken).toBe(0);
  expect(keys.live).toBe(0);
  expect(server.ended.length).toBe(server.admitted.length);
  expect(server.server.deadline()).toBe(Number.MAX_SAFE_INTEGER);
});

test('600 clients connect to one server within two seconds', () => {
  const world = new World();
  world.now += 2 * second;
  const server = new ServerStation({ maxClients: 600, tokenOpensPerSecondMax: 20_000 });
  const shared = chooseAead(64, 2048);
  const clients = new Map<string, ClientStation>();
  for (let i = 0; i < 600; i++) {
    const client = new ClientStation(at(`10.0.${i >> 8}.${i & 255}`, 5000), {}, seededRng(i), shared);
    client.client.connect(mint(world, { clientId: BigInt(i + 1) }, i), world.now);
    clients.set(key(client.address), client);
  }
  const end = world.now + 2 * second;
  while (world.now < end) {
    world.now += world.turnMicros;
    const up: Datagram[] = [...clients.values()].flatMap((client) => client.turn(world.now));
    server.receive(up, world.now, world.unixSeconds);
    for (const d of server.turn(world.now)) clients.get(key(d.to))!.receive([d], world.now, world.unixSeconds);
  }
  expect(server.connected.length).toBe(600);
  expect([...clients.values()].every((c) => c.client.isConnected())).toBe(true);
});

/** An AEAD that does nothing and allocates nothing, so that what is counted is the endpoint's own. */
class GlassAead implements Aead {
  readonly name = 'glass';
  readonly plaintext: Uint8Array = new Uint8Array(64 * 2048);
  readonly plaintextStrideBytes = 2048;
  #keys = 0;
  load(): number {
    return this.#keys++;
  }
  free(): void {}
  seal(batch: DatagramBatch, slot: number): void {
    batch.length[slot] = batch.length[slot]! + 16;
  }
  open(batch: DatagramBatch, slot: number, headerBytes: number): boolean {
    const start = batch.offset[slot]! + headerBytes;
    const end = batch.offset[slot]! + batch.length[slot]! - 16;
    for (let i = start; i < end; i++) this.plaintext[slot * 2048 + i - start] = batch.arena[i]!;
    return true;
  }
  sealOnce(): void {}
  openOnce(): boolean {
    return true;
  }
}

test.each([
  ['payloads', false],
  ['payloads with an id', true],
])('receiving and writing %s allocates nothing, with clock and packet numbers above 2^32', (_, withIds) => {
  const aead = new GlassAead();
  const clients = 64;
  const world = new World();
  world.now = 2 ** 42;
  const server = new NetcodeServer(
    {
      protocolId: PROTOCOL_ID,
      privateKeys: [PRIVATE_KEY],
      publicAddresses: [at('10.0.0.1', 40000)],
      maxClients: clients,
    },
    aead,
    seededRng(1),
    world.now,
    world.unixSeconds,
  );
  let payloads = 0;
  const sink: NetcodeServerSink = {
    admit: (connection) => void server.accept(connection, world.now),
    connect: () => {},
    payload: (_connection, _bytes, _offset, length) => {
      payloads += length;
    },
    path: () => {},
    resume: () => {},
    disconnect: () => {
      throw new Error('nobody leaves');
    },
  };
  const rx = DatagramBatch.allocate(64, 2048);
  const tx = DatagramBatch.allocate(64, 2048);
  const peers = new Sessions(clients, clients, 256, aead);
  for (let i = 0; i < clients; i++) {
    connect(server, aead, sink, rx, tx, i, world);
    peers.setKeys(i, PRIVATE_KEY, PRIVATE_KEY, associatedDataOf(PROTOCOL_ID));
    peers.nextHigh[i] = 1 + i;
    peers.address.set(at('10.0.1.1', 1000 + i), i * ADDRESS_BYTES);
  }
  const ids = new Uint8Array(clients * 8);
  for (let i = 0; i < clients; i++) expect(server.issueId(i, ids, i * 8)).toBe(true);
  /** One packet from and to each client. A function of its own: a time that a loop computes is boxed for each call in it. */
  const round = (now: Micros): void => {
    rx.count = 0;
    for (let i = 0; i < clients; i++) {
      rx.length[rx.count] = 40;
      if (withIds) peers.writePacketWithId(rx, i, PACKET_PAYLOAD_WITH_ID, ids, i * 8, now);
      else peers.writePacket(rx, i, PACKET_PAYLOAD, now);
    }
    server.receive(rx, now, world.unixSeconds);
    server.drain(sink, 0);
    server.advance(now);
    tx.count = 0;
    for (let i = 0; i < clients; i++) {
      tx.length[tx.count] = 40;
      server.writePayload(tx, i, now);
    }
    tx.count = 0;
    server.transmit(tx, now);
  };
  const play = (rounds: number): void => {
    for (let i = 0; i < rounds; i++) {
      world.now += 1000;
      round(world.now);
    }
  };
  // The heap's size moves in steps of 256 KiB, and the first segments compile: as many packets as average the steps out, as
  // many segments as compiling may take.
  const bytesAPacket: number[] = [];
  for (let segment = 0; segment < 8 && !(bytesAPacket.at(-1)! <= 1); segment++) {
    const before = payloads;
    bytesAPacket.push(heapBytesOfSlices(20, () => play(800)) / (16_000 * clients));
    expect(payloads - before).toBe(16_000 * clients * 40);
  }
  expect(bytesAPacket.at(-1), `bytes a packet, segment by segment: ${bytesAPacket}`).toBeLessThanOrEqual(1);
});

/** Connects client `index` through a glass AEAD, by the states of a real client. */
function connect(
  server: NetcodeServer,
  aead: Aead,
  sink: NetcodeServerSink,
  rx: DatagramBatch,
  tx: DatagramBatch,
  index: number,
  world: World,
): void {
  const client = new ClientStation(at('10.0.1.1', 1000 + index), {}, seededRng(index), aead);
  client.client.connect(mintInGlass(world, index), world.now);
  for (let turn = 0; turn < 6; turn++) {
    world.now += 20_000;
    rx.count = 0;
    client.client.transmit(rx, world.now);
    for (let slot = 0; slot < rx.count; slot++) rx.address.set(client.address, slot * ADDRESS_BYTES);
    server.receive(rx, world.now, world.unixSeconds);
    server.drain(sink, 0);
    tx.count = 0;
    server.transmit(tx, world.now);
    for (let slot = 0; slot < tx.count; slot++) tx.address.set(at('10.0.0.1', 40000), slot * ADDRESS_BYTES);
    client.client.receive(tx, world.now, world.unixSeconds);
    client.client.drain({ connect: () => {}, payload: () => {}, path: () => {}, disconnect: () => {} }, 0);
  }
  expect(client.client.isConnected()).toBe(true);
}

/** A token whose private part is not sealed; its last 16 bytes, which name it, differ from token to token. */
function mintInGlass(world: World, index: number): Uint8Array {
  const glass = new GlassAead();
  glass.sealOnce = (..._args: unknown[]) => {
    const bytes = _args[3] as Uint8Array;
    bytes[bytes.length - 1] = index + 1;
  };
  return mint(
    world,
    { clientId: BigInt(index + 1), serverAddresses: [at('10.0.0.1', 40000), at('10.0.0.1', 1)] },
    index,
    glass,
  );
}
