/**
 * A process of its own: a thousand clients, each with a socket, until it is ended. Loads floor.c and our server alike:
 * the same sockets, the same bursts, the same sweeps of what has arrived; so the servers differ and nothing else.
 *
 * Each tick is cut into bursts, as clients of the world are out of step. Between them it sleeps, and no socket wakes it: on
 * loopback that would be paid by the server. Once a second it says how it fares.
 *
 * Arguments: kind (`floor`, `plain` or `encrypted`), port of the server, clients, address of the server and of the clients (default
 * 127.0.0.1).
 */

import { ADDRESS_BYTES, type Aead, addressOf, type DatagramSocket, type Micros } from '../../sys/api.ts';
import { openSys } from '../../sys/index.ts';
import { NetcodeClient, type NetcodeClientSink } from '../../transport/netcode/netcode-client.ts';
import { PACKET_PAYLOAD } from '../../transport/netcode/packets.ts';
import { mintConnectToken } from '../../transport/netcode/token.ts';
import { FRAME_ACK, FRAME_PLAIN } from '../../transport/wire/frame-types.ts';
import { cpuMicros, report } from './bench-child.ts';
import {
  aeadFor,
  INPUT_BYTES,
  INPUT_CHANNEL,
  PRIVATE_KEY,
  SNAPSHOT_CHANNEL,
  TICK_RATE_HZ,
  type TickKind,
  TOKEN_LIFETIME_SECONDS,
} from './tick-workload.ts';

const BURSTS_PER_TICK = 8;
const SLOTS = 8;
const SLOT_BYTES = 640; // a snapshot with headers; a token request has 1,078, see below
const REQUEST_SLOT_BYTES = 1280;
/** Every how many turns a client opens its snapshots; it counts the others, since the servers are to be measured. */
const OPENED_EVERY = 16;
const FRESH_TOKEN_MICROS = 1_100_000;
const CONNECT_EVERY = 4; // clients that begin to connect in one burst: 1,000 within a second

const sys = openSys();
const [kindText, portText, clientsText, host = '127.0.0.1', local = '127.0.0.1'] = process.argv.slice(2);
const kind = kindText as TickKind;
const server = addressOf(host, Number(portText))!;
let snapshots = 0;
let connected = 0;

/** One client of the load. */
interface LoadClient {
  /** Sends an input, or what else is due, and takes in what has arrived. */
  turn(now: Micros): void;
}

/** Speaks to floor.c: its number, and nothing else. */
class FloorClient implements LoadClient {
  readonly #socket: DatagramSocket;
  readonly #number: number;

  constructor(socket: DatagramSocket, number: number) {
    this.#socket = socket;
    this.#number = number;
    connected++;
  }

  turn(): void {
    const { tx } = this.#socket;
    const slot = tx.count++;
    tx.offset[slot] = tx.home(slot);
    tx.length[slot] = INPUT_BYTES;
    tx.view.setUint32(tx.home(slot), this.#number, true);
    tx.address.set(server, slot * ADDRESS_BYTES);
    this.#socket.flush();
    snapshots += this.#socket.receive();
  }
}

/** An ack and an input as the engine's client would frame them (PROTOCOL.md, section 2). */
const ACK_BYTES = 6;
const frame = new Uint8Array(ACK_BYTES + 3 + INPUT_BYTES);
const inputChannel = [INPUT_CHANNEL, SNAPSHOT_CHANNEL].sort().indexOf(INPUT_CHANNEL);
frame.set([FRAME_ACK, 0, 0, 0, 0, 0, FRAME_PLAIN, inputChannel, INPUT_BYTES]);

const sink: NetcodeClientSink = {
  connect: () => void connected++,
  payload: () => void snapshots++,
  path: () => {},
  disconnect: (reason) => {
    throw new Error(`a client of the load was disconnected: ${reason.code} ${reason.text}`);
  },
};

/** Speaks netcode, and of the engine's frames only its own input. */
class ProtocolClient implements LoadClient {
  readonly #socket: DatagramSocket;
  readonly #netcode: NetcodeClient;
  #turns = 0;
  /** Low 16 bits of the newest payload's number, -1: none; and how many directly below it have come with it. */
  #newest = -1;
  #run = 0;

  constructor(socket: DatagramSocket, aead: Aead, token: Uint8Array, now: Micros) {
    this.#socket = socket;
    this.#netcode = new NetcodeClient({}, aead, sys.rng);
    this.#netcode.connect(token, now);
  }

  turn(now: Micros): void {
    const netcode = this.#netcode;
    const { tx } = this.#socket;
    if (netcode.isConnected()) {
      this.#writeInput(now);
    } else {
      netcode.transmit(tx, now);
    }
    this.#socket.flush();
    const received = this.#socket.receive();
    this.#readNumbers();
    if (netcode.isConnected() && ++this.#turns % OPENED_EVERY !== 0) {
      snapshots += received;
      return;
    }
    netcode.receive(this.#socket.rx, now, sys.clock.unixSeconds());
    netcode.drain(sink, now);
    netcode.advance(now);
  }

  /** An ack of what came last, if anything did, and an input. */
  #writeInput(now: Micros): void {
    const { tx } = this.#socket;
    const from = this.#newest < 0 ? ACK_BYTES : 0;
    frame[1] = this.#newest;
    frame[2] = this.#newest >> 8;
    frame[5] = this.#run;
    tx.arena.set(from === 0 ? frame : frame.subarray(from), tx.home(tx.count));
    tx.length[tx.count] = frame.length - from;
    this.#netcode.writePayload(tx, 0, now);
    this.#newest = -1;
  }

  /** Reads the numbers of payloads off their clear headers: the server wants to hear of them, opened or not. */
  #readNumbers(): void {
    const { rx } = this.#socket;
    for (let slot = 0; slot < rx.count; slot++) {
      const at = rx.offset[slot]!;
      const prefix = rx.arena[at]!;
      if ((prefix & 15) !== PACKET_PAYLOAD) continue;
      const number = rx.arena[at + 1]! | (prefix >> 4 > 1 ? rx.arena[at + 2]! << 8 : 0);
      this.#run = this.#newest >= 0 && number === ((this.#newest + 1) & 0xffff) ? this.#run + 1 : 0;
      this.#newest = number;
    }
  }
}

async function openClient(number: number, aead: Aead): Promise<LoadClient> {
  const socket = await sys.openUdp(addressOf(local, 0)!, {
    rxSlots: SLOTS,
    txSlots: SLOTS,
    slotBytes: kind === 'floor' ? SLOT_BYTES : REQUEST_SLOT_BYTES,
  });
  if (kind === 'floor') return new FloorClient(socket, number);
  const token = mintConnectToken(
    {
      privateKey: PRIVATE_KEY,
      protocolId: 0n,
      clientId: BigInt(number + 1),
      serverAddresses: [server],
      lifetimeSeconds: TOKEN_LIFETIME_SECONDS,
      timeoutSeconds: 30,
    },
    aead,
    sys.rng,
    sys.clock.unixSeconds(),
  );
  return new ProtocolClient(socket, aead, token, sys.clock.now());
}

async function load(clientCount: number): Promise<never> {
  const poller = sys.openPoller(); // watches nothing: only to sleep
  const aead = aeadFor(kind, sys, SLOTS, REQUEST_SLOT_BYTES);
  const clients: LoadClient[] = [];
  // Tokens minted in the second in which a server starts, or before, are refused: they may have been used.
  if (kind !== 'floor') poller.wait(FRESH_TOKEN_MICROS);
  const start = sys.clock.now();
  let saidAt = start;
  let saidCpu = cpuMicros();
  for (let burst = 0; ; burst++) {
    for (let i = 0; i < CONNECT_EVERY && clients.length < clientCount; i++) {
      clients.push(await openClient(clients.length, aead));
    }
    const now = sys.clock.now();
    for (let i = burst % BURSTS_PER_TICK; i < clients.length; i += BURSTS_PER_TICK) clients[i]!.turn(now);
    if (now - saidAt >= 1_000_000) {
      const cpu = cpuMicros();
      report({ connected, snapshots, busy: (cpu - saidCpu) / (now - saidAt) });
      saidAt = now;
      saidCpu = cpu;
      snapshots = 0;
    }
    const next = start + Math.ceil(((burst + 1) * 1e6) / (TICK_RATE_HZ * BURSTS_PER_TICK));
    for (let left = next - sys.clock.now(); left > 0; left = next - sys.clock.now()) poller.wait(left);
  }
}

await load(Number(clientsText));
