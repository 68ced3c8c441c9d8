/**
 * The engine's real `Server`, drive, runtime, transport and cryptography over a socket that is a tape; on its other side a thousand
 * clients, which are the transport's other half (`far-clients.ts`). Nothing else of the machine takes part, so what the heap grows
 * by is the engine's.
 */

import type { Message } from '../../engine/codec.ts';
import { Runtime } from '../../engine/executor/runtime.ts';
import { Server } from '../../engine/server.ts';
import { chooseAead } from '../../sys/aead/choose.ts';
import {
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
import { CHANNELS, FarClients, PRIVATE_KEY, PROTOCOL_ID, SECONDS, SLOT_BYTES, SLOTS } from './far-clients.ts';

const TICK_MICROS = 16_667;
const STATE_BYTES = 96;
/** Clock and packet numbers start above 2^32, where numbers no longer fit an integer register of the JIT. */
const START_MICROS: number = 2 ** 40;

export class EngineOnTape {
  readonly server: Server<typeof CHANNELS>;
  /** Messages that reached the game. */
  received = 0;
  readonly far: FarClients;
  readonly #runtime: Runtime;
  readonly #machine: TapeMachine;
  readonly #state: Uint8Array = new Uint8Array(STATE_BYTES);
  readonly #keyed = { key: 0 };

  /** A server with `clients` connected clients; `loss` is the share of packets lost each way. */
  static async open(clients: number, loss: number): Promise<EngineOnTape> {
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
    return new EngineOnTape(server, runtime, machine, new FarClients(clients, loss, machine.socket.rx));
  }

  private constructor(server: Server<typeof CHANNELS>, runtime: Runtime, machine: TapeMachine, far: FarClients) {
    this.server = server;
    this.far = far;
    this.#runtime = runtime;
    this.#machine = machine;
    const { socket } = machine;
    far.connectAll(
      machine.sys.rng,
      () => machine.nowMicros,
      (fill, take) => {
        socket.fill = fill;
        socket.take = take;
        machine.nowMicros += TICK_MICROS;
        runtime.turn();
      },
    );
    server.on('message', (_peer, _channel, message: Message) => {
      this.received++;
      this.#state[message.u8() % STATE_BYTES]! ^= message.u8();
    });
    server.on('tick', (tick) => this.#tick(tick));
    socket.fill = (rx) => far.transmit(rx, machine.nowMicros);
    socket.take = (tx) => far.receive(tx, machine.nowMicros);
  }

  /** Ticks in each of which every client sends an input and gets a state, and now and then something of every other kind. */
  play(ticks: number): void {
    for (let tick = 0; tick < ticks; tick++) {
      this.#machine.nowMicros += TICK_MICROS;
      this.far.tick(this.#machine.nowMicros);
      this.#runtime.turn(); // what the clients say to what is sent in it comes with the next
    }
  }

  /** What the game does: all seven kinds, the five dearer ones to a share of the peers each tick. */
  #tick(tick: number): void {
    const { server } = this;
    server.broadcast('a', this.#state);
    const { peers } = server;
    for (let i = tick % 8; i < peers.length; i += 8) {
      const peer = peers[i]!;
      peer.send('b', this.#state);
      peer.send('c', this.#state);
      peer.send('d', this.#state);
      peer.send('e', this.#state);
      this.#keyed.key = tick & 15;
      peer.send('f', this.#state, this.#keyed);
      peer.send('g', this.#state);
    }
  }
}

/** A socket whose datagrams come from a function and go nowhere. */
class TapeSocket implements DatagramSocket {
  readonly pollHandle = 0;
  readonly localAddress: Uint8Array = addressOf('127.0.0.1', 40_000)!;
  readonly rx: DatagramBatch = nativeBatch();
  tx: DatagramBatch = nativeBatch();
  fill: (rx: DatagramBatch) => number = () => 0;
  take: (tx: DatagramBatch) => void = () => {};
  readonly stats: SocketStats = new SocketStats();

  open(options: UdpOptions): this {
    this.tx = nativeBatch(options.txSpareBytes);
    return this;
  }

  receive(): number {
    return this.fill(this.rx);
  }

  flush(): number {
    const { tx } = this;
    const { count } = tx;
    this.take(tx);
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
        portGroups: false,
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
