/**
 * A process of its own: clients, each with a socket, that connect and then say only what the protocol says by itself, until the
 * process is ended.
 *
 * Arguments: channels (4 or 8), port of the server, clients.
 */

import { ChannelTable } from '../../engine/channel-table.ts';
import { type Aead, addressOf, type DatagramSocket, type Micros } from '../../sys/api.ts';
import { openSys } from '../../sys/index.ts';
import { CLIENT_SPARE_BYTES, ClientEndpoint, type ClientSink } from '../../transport/client-endpoint.ts';
import { mintConnectToken } from '../../transport/netcode/token.ts';
import { channelsOf, PRIVATE_KEY, TOKEN_LIFETIME_SECONDS } from './memory-workload.ts';

const SLOTS = 4;
const SLOT_BYTES = 1408;
/** Each client looks at its socket so often: idle clients wake up no more. */
const SWEEP_MICROS = 100_000;
/** Clients that begin to connect in one sweep. */
const CONNECT_EVERY = 100;
/** After its start a server refuses tokens of the same second. */
const FRESH_TOKEN_MICROS = 1_100_000;

const sys = openSys();
const [channelCount, port, clientCount] = process.argv.slice(2).map(Number) as [number, number, number];
const channels = new ChannelTable(channelsOf(channelCount), false).set;
const server = addressOf('127.0.0.1', port)!;

const sink: ClientSink = {
  connect: () => {},
  disconnect: (reason) => {
    throw new Error(`a client of the load was disconnected: ${reason.code} ${reason.text}`);
  },
  message: () => {},
  receipt: () => {},
  writable: () => {},
  blackHole: () => {},
};

class IdleClient {
  readonly #socket: DatagramSocket;
  readonly #endpoint: ClientEndpoint;

  constructor(socket: DatagramSocket, aead: Aead, token: Uint8Array, now: Micros) {
    this.#socket = socket;
    this.#endpoint = new ClientEndpoint({ channels }, aead, sys.rng, socket.tx);
    this.#endpoint.connect(token, now);
  }

  turn(now: Micros): void {
    const endpoint = this.#endpoint;
    const { rx, tx } = this.#socket;
    while (this.#socket.receive() > 0) {
      endpoint.receive(rx, now, sys.clock.unixSeconds());
      endpoint.drain(sink, now);
    }
    endpoint.advance(now);
    endpoint.drain(sink, now);
    endpoint.transmit(tx, now);
    this.#socket.flush();
  }
}

async function openClient(number: number, aead: Aead): Promise<IdleClient> {
  const socket = await sys.openUdp(addressOf('127.0.0.1', 0)!, {
    rxSlots: SLOTS,
    txSlots: SLOTS,
    slotBytes: SLOT_BYTES,
    txSpareBytes: CLIENT_SPARE_BYTES,
  });
  const token = mintConnectToken(
    {
      privateKey: PRIVATE_KEY,
      protocolId: 0n,
      clientId: BigInt(number + 1),
      userData: new Uint8Array(256).fill(number),
      serverAddresses: [server],
      lifetimeSeconds: TOKEN_LIFETIME_SECONDS,
      timeoutSeconds: 30,
    },
    aead,
    sys.rng,
    sys.clock.unixSeconds(),
  );
  return new IdleClient(socket, aead, token, sys.clock.now());
}

async function load(): Promise<never> {
  const poller = sys.openPoller(); // watches nothing: only to sleep
  const aead = sys.openAead(SLOTS, SLOT_BYTES);
  const clients: IdleClient[] = [];
  poller.wait(FRESH_TOKEN_MICROS);
  for (;;) {
    const start = sys.clock.now();
    for (let i = 0; i < CONNECT_EVERY && clients.length < clientCount; i++) {
      clients.push(await openClient(clients.length, aead));
    }
    for (const client of clients) client.turn(sys.clock.now());
    const left = start + SWEEP_MICROS - sys.clock.now();
    if (left > 0) poller.wait(left);
  }
}

await load();
