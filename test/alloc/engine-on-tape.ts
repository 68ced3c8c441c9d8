/**
 * The engine's real `Server`, drive, runtime and cryptography over a socket that is a tape: datagrams of connected clients
 * are sealed into its receive batch, what the server sends is counted. Nothing else of the machine takes part, so what the
 * heap grows by is the engine's.
 */

import { type Channel, type Message, unreliable } from '../../engine/channels.ts';
import { Runtime } from '../../engine/executor/runtime.ts';
import { Server } from '../../engine/server.ts';
import { chooseAead } from '../../sys/aead/choose.ts';
import {
  ADDRESS_BYTES,
  type Aead,
  addressOf,
  DatagramBatch,
  type DatagramSocket,
  type Poller,
  type Rng,
  SocketStats,
  type Sys,
  slotStrideBytes,
  type UdpOptions,
} from '../../sys/api.ts';
import { NativeArena } from '../../sys/ffi/arena.ts';
import { NetcodeClient } from '../../transport/netcode/netcode-client.ts';
import { associatedDataOf, PACKET_PAYLOAD } from '../../transport/netcode/packets.ts';
import { Sessions } from '../../transport/netcode/sessions.ts';
import { mintConnectToken, readConnectToken } from '../../transport/netcode/token.ts';
import { MESSAGE_HEADER_BYTES, writeMessageHeader } from '../../transport/wire/frames.ts';

type RawChannel = Channel<Uint8Array, Message>;

const PROTOCOL_ID = 7n;
const PRIVATE_KEY = new Uint8Array(32).fill(9);
const SECONDS = 1_800_000_000;
const SLOT_BYTES = 2048;
const SLOTS = 256;
const TICK_MICROS = 16_667;
const INPUT_BYTES = 96;
const STATE_BYTES = 96;
/** Clock and packet numbers start above 2^32, where numbers no longer fit an integer register of the JIT. */
const START_MICROS: number = 2 ** 40;

const CHANNELS: { readonly input: RawChannel; readonly state: RawChannel } = {
  input: unreliable(),
  state: unreliable(),
};
const INPUT_CHANNEL = 0;

export class EngineOnTape {
  readonly server: Server<typeof CHANNELS>;
  /** Messages that reached the game. */
  received = 0;
  readonly #runtime: Runtime;
  readonly #machine: TapeMachine;
  readonly #peers: Sessions;
  readonly #clients: number;
  readonly #state: Uint8Array = new Uint8Array(STATE_BYTES);
  /** Clients whose input of this tick has not been put on the tape yet. */
  #pending = 0;
  #expected = 0;

  /** A server with `clients` connected clients. */
  static async open(clients: number): Promise<EngineOnTape> {
    const machine = new TapeMachine();
    const runtime = new Runtime(machine.sys, machine.poller);
    const context = { sys: machine.sys, runtime, resolve: () => Promise.reject(new Error('no names')), warn: () => {} };
    const server = await Server.listen(
      {
        port: 40_000,
        privateKey: PRIVATE_KEY,
        protocolId: PROTOCOL_ID,
        freshKey: true,
        maxClients: clients,
        channels: CHANNELS,
      },
      context,
    );
    return new EngineOnTape(server, runtime, machine, clients);
  }

  private constructor(server: Server<typeof CHANNELS>, runtime: Runtime, machine: TapeMachine, clients: number) {
    this.server = server;
    this.#runtime = runtime;
    this.#machine = machine;
    this.#clients = clients;
    const aead = chooseAead(SLOTS, SLOT_BYTES);
    this.#peers = new Sessions(clients, clients, 256, aead);
    for (let index = 0; index < clients; index++) this.#connect(index, aead);
    server.on('message', (_peer, _channel, message: Message) => {
      this.received++;
      this.#state[message.u8() % STATE_BYTES]! ^= message.u8();
    });
    server.on('tick', () => {
      server.broadcast('state', this.#state);
    });
    machine.socket.fill = (rx) => this.#fill(rx);
  }

  /** Ticks in each of which every client sends an input and gets a state; throws when one is missing. */
  play(ticks: number): void {
    const { socket } = this.#machine;
    const sentBefore = socket.sent;
    this.#expected += ticks * this.#clients;
    for (let tick = 0; tick < ticks; tick++) {
      this.#machine.nowMicros += TICK_MICROS;
      this.#pending = this.#clients;
      // Receive rounds are bounded: a turn may leave some for the next.
      do this.#runtime.turn();
      while (this.#pending > 0);
    }
    if (this.received !== this.#expected) throw new Error(`${this.received} of ${this.#expected} inputs arrived`);
    const sent = socket.sent - sentBefore;
    if (sent < ticks * this.#clients) throw new Error(`${sent} packets sent, not ${ticks * this.#clients}`);
  }

  #fill(rx: DatagramBatch): number {
    rx.count = 0;
    while (this.#pending > 0 && !rx.full) {
      const at = rx.home(rx.count);
      writeMessageHeader(rx.arena, at, INPUT_CHANNEL, INPUT_BYTES);
      rx.length[rx.count] = MESSAGE_HEADER_BYTES + INPUT_BYTES;
      this.#peers.writePacket(rx, --this.#pending, PACKET_PAYLOAD, 0);
    }
    return rx.count;
  }

  /** A real handshake, then the client's end is taken over by a row of `#peers`. */
  #connect(index: number, aead: Aead): void {
    const { sys, socket } = this.#machine;
    const own = addressOf('127.0.0.1', 40_000)!;
    const token = mintConnectToken(
      {
        protocolId: PROTOCOL_ID,
        privateKey: PRIVATE_KEY,
        clientId: BigInt(index),
        serverAddresses: [own, addressOf('127.0.0.1', 40_001)!], // several servers: packet numbers from a random epoch
        timeoutSeconds: -1,
      },
      aead,
      sys.rng,
      SECONDS,
    );
    const address = addressOf(`10.0.${index >> 8}.${index & 255}`, 5000)!;
    const client = new NetcodeClient({}, aead, sys.rng);
    client.connect(token, this.#machine.nowMicros);
    for (let turn = 0; turn < 8 && !client.isConnected(); turn++) {
      socket.fill = (rx) => {
        rx.count = 0;
        if (turn >= 0) client.transmit(rx, this.#machine.nowMicros);
        for (let slot = 0; slot < rx.count; slot++) rx.address.set(address, slot * ADDRESS_BYTES);
        return rx.count;
      };
      socket.keep = true;
      this.#machine.nowMicros += TICK_MICROS;
      this.#runtime.turn();
      const { kept } = socket;
      for (let slot = 0; slot < kept.count; slot++) kept.address.set(own, slot * ADDRESS_BYTES);
      client.receive(kept, this.#machine.nowMicros, SECONDS);
      client.drain({ connect: () => {}, payload: () => {}, path: () => {}, disconnect: () => {} });
      kept.count = 0;
    }
    socket.keep = false;
    if (!client.isConnected()) throw new Error(`client ${index} did not connect`);
    const { clientToServerKey, serverToClientKey } = readConnectToken(token)!;
    this.#peers.setKeys(index, clientToServerKey, serverToClientKey, associatedDataOf(PROTOCOL_ID));
    this.#peers.nextHigh[index] = 1;
    this.#peers.address.set(address, index * ADDRESS_BYTES);
  }
}

/** A socket whose datagrams come from a function and go nowhere. */
class TapeSocket implements DatagramSocket {
  readonly pollHandle = 0;
  readonly localAddress: Uint8Array = addressOf('127.0.0.1', 40_000)!;
  readonly rx: DatagramBatch = nativeBatch();
  tx: DatagramBatch = nativeBatch();
  /** What was sent while `keep` was set. */
  readonly kept: DatagramBatch = nativeBatch();
  keep = false;
  sent = 0;
  fill: (rx: DatagramBatch) => number = () => 0;
  readonly stats: SocketStats = new SocketStats();

  open(options: UdpOptions): this {
    this.tx = nativeBatch(options.txSpareBytes);
    return this;
  }

  receive(): number {
    return this.fill(this.rx);
  }

  flush(): number {
    const { tx, kept } = this;
    const count = tx.count;
    for (let slot = 0; this.keep && slot < count; slot++) {
      const at = kept.home(kept.count);
      kept.arena.set(tx.arena.subarray(tx.offset[slot]!, tx.offset[slot]! + tx.length[slot]!), at);
      kept.offset[kept.count] = at;
      kept.length[kept.count++] = tx.length[slot]!;
    }
    this.sent += count;
    tx.count = 0;
    return count;
  }

  close(): void {}
}

/** A machine with one tape, a clock that is set by hand, and real cryptography. */
class TapeMachine {
  nowMicros: number = START_MICROS;
  readonly socket: TapeSocket = new TapeSocket();
  readonly sys: Sys;
  readonly poller: Poller = {
    canBlock: false,
    keys: new Int32Array(1),
    flags: new Uint8Array(1),
    add: () => {},
    modify: () => {},
    remove: () => {},
    wait: () => 0,
    attach: () => {},
    detach: () => {},
    arm: () => {},
    notifier: () => ({ handle: null, transfer: [], notify: () => {} }),
    close: () => {},
  };

  constructor() {
    this.sys = {
      clock: { now: () => this.nowMicros, unixSeconds: () => SECONDS },
      rng: seeded(5),
      capabilities: {
        backend: 'tape',
        maxDatagramBytes: SLOT_BYTES,
        gso: false,
        gro: false,
        reusePort: false,
        ipv6: false,
        receivedAt: false,
        localAddress: false,
      },
      openAead: chooseAead,
      openPoller: () => this.poller,
      openUdp: async (_local: Uint8Array, options: UdpOptions) => this.socket.open(options),
      close: () => {},
    } as unknown as Sys;
  }
}

function nativeBatch(spareBytes = 0): DatagramBatch {
  const arena = NativeArena.map(SLOTS * slotStrideBytes(SLOT_BYTES) + spareBytes);
  return new DatagramBatch(arena.bytes, SLOTS, SLOT_BYTES, {}, { address: arena.address });
}

function seeded(seed: number): Rng {
  let state = seed;
  const u32 = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state ^ (state >>> 13)) >>> 0;
  };
  return {
    u32,
    fill: (bytes) => {
      for (let i = 0; i < bytes.length; i++) bytes[i] = u32() >>> 11;
    },
  };
}
