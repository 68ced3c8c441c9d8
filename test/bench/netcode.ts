/**
 * What a packet costs a netcode endpoint with 1,000 connected clients: batches in native memory, preloaded, no sockets;
 * the AEAD that this machine would use; clock and packet numbers above 2^32. Also what the endpoint allocates. Times are
 * processor time.
 */

import { aeadReport, chooseAead } from '../../sys/aead/choose.ts';
import { ADDRESS_BYTES, type Aead, addressOf, DatagramBatch, type Rng, slotStrideBytes } from '../../sys/api.ts';
import { NativeArena } from '../../sys/ffi/arena.ts';
import { NetcodeClient } from '../../transport/netcode/netcode-client.ts';
import { NetcodeServer, type NetcodeServerSink } from '../../transport/netcode/netcode-server.ts';
import { associatedDataOf, PACKET_PAYLOAD } from '../../transport/netcode/packets.ts';
import { Sessions } from '../../transport/netcode/sessions.ts';
import { mintConnectToken, readConnectToken } from '../../transport/netcode/token.ts';
import { EngineOnTape } from '../alloc/engine-on-tape.ts';
import { heapBytesOfSlices } from '../sys/collect-garbage.ts';
import { type BenchOptions, type BenchReport, figure, machine, RUNS_DEFAULT } from './report.ts';

const CLIENTS = 1000;
const SLOTS = 64;
const SLOT_BYTES = 2048;
const PAYLOAD_BYTES = 100;
const ROUNDS = 100; // a run measures 100,000 packets each way
const START = 2 ** 40;
const SECONDS = 1_800_000_000;
const PROTOCOL_ID = 7n;
const BATCHES: number = Math.ceil(CLIENTS / SLOTS);
const REQUEST_COST_TOKENS = 20_000;

/** Both paths must stay below this on the reference machine (issue 2, section 7). */
const MUST = { op: '<=', value: 1200 } as const;

export async function run(options: BenchOptions): Promise<BenchReport> {
  const runs = options.runs ?? RUNS_DEFAULT;
  const { name } = aeadReport().find((finding) => finding.ok)!;
  const stand = new Stand(name !== 'node-crypto');
  stand.measure(ROUNDS); // compiled before it is measured
  const received: number[] = [];
  const written: number[] = [];
  const grown: number[] = [];
  for (let i = 0; i < runs; i++) {
    const result = stand.measure(ROUNDS);
    received.push(result.receiveNanos);
    written.push(result.writeNanos);
    grown.push(result.grownBytes);
  }
  const engineGrown = await heapGrowthOfEngine(runs);
  const refusals = Array.from({ length: runs }, () => stand.refuse(REQUEST_COST_TOKENS));
  return {
    bench: 'netcode',
    machine: machine(),
    figures: [
      figure('received and decrypted, 100 bytes', 'ns/packet', received, MUST),
      figure('sealed and written, 100 bytes', 'ns/packet', written, MUST),
      figure('heap growth, receiving and writing', 'bytes/packet', grown, { op: '<=', value: 1 }),
      figure('heap growth, through drive, a game callback and sending', 'bytes/packet', engineGrown, {
        op: '<=',
        value: 1,
      }),
      figure('forged request opened and refused', 'ns/request', refusals),
    ],
    notes: [`AEAD: ${name}`, `${CLIENTS} clients, clock and packet numbers above 2^32`],
  };
}

/** What the whole engine allocates for a packet in and a packet out, each run after a collection. */
async function heapGrowthOfEngine(runs: number): Promise<number[]> {
  const engine = await EngineOnTape.open(CLIENTS, 0.05);
  const ticks = 500; // half a million packets each way: V8 counts its heap in steps that 100,000 would not average out
  engine.play(ticks); // compiled before it is measured
  const slice = (): void => engine.play(ticks / 10);
  const { far } = engine;
  return Array.from({ length: runs }, () => {
    const before = far.sent + far.came;
    const bytes = heapBytesOfSlices(10, slice);
    return bytes / (far.sent + far.came - before);
  });
}

interface Result {
  readonly receiveNanos: number;
  readonly writeNanos: number;
  readonly grownBytes: number;
}

/** A server with its clients connected, and as many batches as hold a packet from each. */
class Stand {
  readonly #server: NetcodeServer;
  /** The clients' ends: one row each, numbers from 2^32 on. */
  readonly #peers: Sessions;
  readonly #rx: DatagramBatch[];
  readonly #tx: DatagramBatch;
  readonly #payload = new Uint8Array(PAYLOAD_BYTES).fill(7);
  readonly #counts = { received: 0 };
  readonly #sink: NetcodeServerSink;
  #now = START;

  constructor(native: boolean) {
    const rng = seeded(5);
    const aead = chooseAead(SLOTS, SLOT_BYTES);
    const own = addressOf('127.0.0.1', 40000)!;
    const other = addressOf('127.0.0.1', 40001)!; // a second server in the token: packet numbers of 52 random bits
    const counts = this.#counts;
    this.#server = new NetcodeServer(
      {
        protocolId: PROTOCOL_ID,
        privateKeys: [new Uint8Array(32).fill(9)],
        publicAddresses: [own],
        maxClients: CLIENTS,
        tokenOpensPerSecondMax: 1_000_000,
      },
      aead,
      rng,
      START,
      SECONDS,
    );
    this.#sink = {
      admit: (connection) => void this.#server.accept(connection, this.#now),
      connect: () => {},
      payload: (_connection, _bytes, _offset, length) => {
        if (length === PAYLOAD_BYTES) counts.received++;
      },
      path: () => {},
      resume: () => {},
      disconnect: (connection, reason) => {
        throw new Error(`connection ${connection} ended: ${reason.code}`);
      },
    };
    this.#rx = Array.from({ length: BATCHES }, () => batchOf(native));
    this.#tx = batchOf(native);
    const peerAead = chooseAead(SLOTS, SLOT_BYTES);
    this.#peers = new Sessions(CLIENTS, CLIENTS, 256, peerAead);
    for (let i = 0; i < CLIENTS; i++) this.#connect(i, own, other, rng, peerAead);
  }

  /** Time and heap growth of `rounds` packets from and to every client. */
  measure(rounds: number): Result {
    let receive = 0;
    let write = 0;
    let grown = 0;
    const before = this.#counts.received;
    for (let round = 0; round < rounds; round++) {
      this.#now += 16_667;
      this.#preload();
      const heap = process.memoryUsage().heapUsed;
      const start = cpuMicros();
      this.#receiveAll();
      const middle = cpuMicros();
      this.#writeAll();
      write += cpuMicros() - middle;
      receive += middle - start;
      const growth = process.memoryUsage().heapUsed - heap;
      if (growth > 0) grown += growth; // a collection inside a round would hide what it freed
    }
    const packets = rounds * CLIENTS;
    if (this.#counts.received - before !== packets)
      throw new Error(`${this.#counts.received - before} of ${packets} came`);
    return {
      receiveNanos: (receive * 1000) / packets,
      writeNanos: (write * 1000) / packets,
      grownBytes: Math.max(0, grown - rounds * MEASURING_BYTES) / packets,
    };
  }

  /** Time of a request with a forged token, from an address that is new each time. */
  refuse(count: number): number {
    const batch = this.#rx[0]!;
    const token = mintFor(0, addressOf('127.0.0.1', 40000)!, addressOf('127.0.0.1', 40001)!, seeded(8));
    const client = new NetcodeClient({}, chooseAead(1, SLOT_BYTES), seeded(1));
    client.connect(token, this.#now);
    const request = DatagramBatch.allocate(1, SLOT_BYTES);
    client.transmit(request, this.#now);
    const bytes = request.arena.slice(request.offset[0]!, request.offset[0]! + request.length[0]!);
    batch.count = SLOTS;
    for (let slot = 0; slot < SLOTS; slot++) {
      batch.offset[slot] = batch.home(slot);
      batch.length[slot] = bytes.length;
      batch.arena.set(bytes, batch.home(slot));
      batch.arena[batch.home(slot) + 500 + slot]! ^= 1;
      batch.address.set(addressOf('10.1.1.1', 1000 + slot)!, slot * ADDRESS_BYTES);
    }
    const forged = this.#server.drops.requestForged;
    const start = cpuMicros();
    for (let done = 0; done < count; done += SLOTS) {
      this.#now += 1_000; // the budget is not what is measured
      this.#server.receive(batch, this.#now, SECONDS);
    }
    const nanos = (cpuMicros() - start) * 1000;
    return nanos / (this.#server.drops.requestForged - forged);
  }

  #connect(index: number, own: Uint8Array, other: Uint8Array, rng: Rng, aead: Aead): void {
    const token = mintFor(index, own, other, rng);
    const client = new NetcodeClient({}, aead, rng);
    const address = addressOf(`10.0.${index >> 8}.${index & 255}`, 5000)!;
    const batch = this.#rx[0]!;
    client.connect(token, this.#now);
    for (let turn = 0; turn < 4 && !client.isConnected(); turn++) {
      batch.count = 0;
      client.transmit(batch, this.#now);
      for (let slot = 0; slot < batch.count; slot++) batch.address.set(address, slot * ADDRESS_BYTES);
      this.#server.receive(batch, this.#now, SECONDS);
      this.#server.drain(this.#sink, this.#now);
      this.#tx.count = 0;
      this.#server.transmit(this.#tx, this.#now);
      for (let slot = 0; slot < this.#tx.count; slot++) this.#tx.address.set(own, slot * ADDRESS_BYTES);
      client.receive(this.#tx, this.#now, SECONDS);
      client.drain({ connect: () => {}, payload: () => {}, path: () => {}, disconnect: () => {} }, this.#now);
    }
    if (!client.isConnected()) throw new Error(`client ${index} did not connect`);
    const { clientToServerKey, serverToClientKey } = readConnectToken(token)!;
    this.#peers.setKeys(index, clientToServerKey, serverToClientKey, associatedDataOf(PROTOCOL_ID));
    this.#peers.nextHigh[index] = 1;
    this.#peers.address.set(address, index * ADDRESS_BYTES);
  }

  /** Seals one packet of each client into the batches, in an order that is not that of the connections. */
  #preload(): void {
    for (let i = 0; i < CLIENTS; i++) {
      const batch = this.#rx[Math.floor(i / SLOTS)]!;
      if (i % SLOTS === 0) batch.count = 0;
      batch.arena.set(this.#payload, batch.home(batch.count));
      batch.length[batch.count] = PAYLOAD_BYTES;
      this.#peers.writePacket(batch, (i * 617) % CLIENTS, PACKET_PAYLOAD, this.#now);
    }
  }

  #receiveAll(): void {
    for (let i = 0; i < BATCHES; i++) {
      this.#server.receive(this.#rx[i]!, this.#now, SECONDS);
      this.#server.drain(this.#sink, this.#now);
    }
    this.#server.advance(this.#now);
  }

  #writeAll(): void {
    const batch = this.#tx;
    for (let connection = 0; connection < CLIENTS; connection++) {
      if (batch.full) batch.count = 0;
      batch.arena.set(this.#payload, batch.home(batch.count));
      batch.length[batch.count] = PAYLOAD_BYTES;
      this.#server.writePayload(batch, connection, this.#now);
    }
    batch.count = 0;
    this.#server.transmit(batch, this.#now);
    batch.count = 0;
  }
}

/** Processor time of this process: what others do on a shared machine does not count. */
function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** What reading heap and clock itself allocates in a round; measured once. */
const MEASURING_BYTES: number = (() => {
  const read = () => {
    const heap = process.memoryUsage().heapUsed;
    const start = cpuMicros();
    const middle = cpuMicros();
    const end = cpuMicros();
    return process.memoryUsage().heapUsed - heap + 0 * (start + middle + end);
  };
  const samples = Array.from({ length: 300 }, read).sort((a, b) => a - b);
  return samples[100]!;
})();

function batchOf(native: boolean): DatagramBatch {
  if (!native) return DatagramBatch.allocate(SLOTS, SLOT_BYTES);
  const arena = NativeArena.map(SLOTS * slotStrideBytes(SLOT_BYTES));
  return new DatagramBatch(arena.bytes, SLOTS, SLOT_BYTES, {}, { address: arena.address });
}

function mintFor(index: number, own: Uint8Array, other: Uint8Array, rng: Rng): Uint8Array {
  return mintConnectToken(
    {
      protocolId: PROTOCOL_ID,
      privateKey: new Uint8Array(32).fill(9),
      clientId: BigInt(index + 1),
      serverAddresses: [own, other],
      timeoutSeconds: -1,
    },
    chooseAead(1, SLOT_BYTES),
    rng,
    SECONDS,
  );
}

/** Chance from a seed: a bench must be the same each time. */
function seeded(seed: number): Rng {
  let state = seed;
  const u32 = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state ^ (state >>> 13)) >>> 0;
  };
  return {
    u32,
    fill: (bytes) => {
      for (let i = 0; i < bytes.length; i++) bytes[i] = u32() >>> 11;
    },
  };
}
