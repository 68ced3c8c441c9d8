/** What a connection that says nothing costs a server in typed arrays, which is most of it. `npm run bench -- memory` has the rest. */

import { describe, expect, it } from 'vitest';
import { ChannelTable } from '../../engine/channel-table.ts';
import { chooseAead } from '../../sys/aead/choose.ts';
import { addressOf, DatagramBatch } from '../../sys/api.ts';
import type { ChannelSet } from '../../transport/channel/channel-set.ts';
import { Connections } from '../../transport/connections.ts';
import { NetcodeServer } from '../../transport/netcode/netcode-server.ts';
import { TokenHistory } from '../../transport/netcode/token-history.ts';
import { UserData } from '../../transport/netcode/user-data.ts';
import type { Session } from '../../transport/session.ts';
import { transportSettings } from '../../transport/transport-options.ts';
import { channelsOf } from '../bench/memory-workload.ts';
import { collectGarbage } from '../sys/collect-garbage.ts';
import { seededRng } from './netcode/world.ts';

const START = 5_000_000_000;
const SECONDS = 1_800_000_000;
const SLOTS = 64;
const SLOT_BYTES = 2048;
const FEW = 1000;
/** Just above a power of two: the worst that tables which double can do. */
const MANY = 4100;
/** Of the 6,144 that a connection may cost, what is left for objects: the engine's Peer (200 bytes), lists, what V8 adds. */
const OBJECT_BYTES = 900;
const BYTES_MAX: number = 6144 - OBJECT_BYTES;
const ROUNDS_MAX = 20;

/** Everything of a server with `clients` connected clients that is not the engine's. What it returns must be kept alive. */
function serverOf(clients: number, channels: ChannelSet): readonly unknown[] {
  const rng = seededRng(1);
  const netcode = new NetcodeServer(
    {
      protocolId: 7n,
      privateKeys: [new Uint8Array(32).fill(9)],
      publicAddresses: [addressOf('127.0.0.1', 40_000)!],
      maxClients: clients,
    },
    chooseAead(SLOTS, SLOT_BYTES),
    rng,
    START,
    SECONDS,
  );
  const history = new TokenHistory(clients * 16, rng);
  const userData = new UserData(clients);
  const address = addressOf('10.0.0.1', 1)!;
  const batch = DatagramBatch.allocate(SLOTS, SLOT_BYTES);
  const options = { ...transportSettings({ channels }), connections: clients };
  const connections = new Connections(options, new Numbers(), rng, batch);
  for (let c = 0; c < clients; c++) {
    history.record(new Uint8Array(new Uint32Array([c, c * 7, 3, 4]).buffer), 0, address, 0, SECONDS + 30, SECONDS);
    userData.put(c, new Uint8Array(256));
    connections.open(c, START);
  }
  // Hellos, connection ids, times: a connection has its ring of packets on their way from then on.
  for (let left = clients; left > 0; left -= SLOTS) {
    batch.count = 0;
    connections.transmit(batch, START);
  }
  return [netcode, history, userData, connections, batch];
}

/** Gives packets their numbers, and nothing else. */
class Numbers implements Session {
  readonly receivedNumber: Float64Array = new Float64Array(1);
  readonly writtenNumber: Float64Array = new Float64Array(1);
  readonly #next: Map<number, number> = new Map();

  isConnected(): boolean {
    return true;
  }

  writePayload(batch: DatagramBatch, c: number): boolean {
    batch.count++;
    this.skipNumber(c);
    return true;
  }

  skipNumber(c: number): void {
    const number = this.#next.get(c) ?? 0;
    this.writtenNumber[0] = number;
    this.#next.set(c, number + 1);
  }

  idsWanted(): number {
    return 0;
  }

  issueId(): boolean {
    return false;
  }

  storeId(): void {}
}

function arrayBytes(clients: number, channels: ChannelSet): number {
  const before = settledBytes();
  const server = serverOf(clients, channels);
  const bytes = settledBytes() - before;
  expect(server).toHaveLength(5);
  return bytes;
}

/** The bytes of array buffers that are alive: V8 frees the others beside us, and has ended that when the next collection begins. */
function settledBytes(): number {
  let last = -1;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    collectGarbage();
    const now = process.memoryUsage().arrayBuffers;
    if (now === last) return now;
    last = now;
  }
  throw new Error('array buffers come and go: their bytes cannot be told');
}

describe('an idle connection', () => {
  it.each([4, 8])('costs a server with %i channels less than 6 KB, with what its objects take', (count) => {
    const channels = new ChannelTable(channelsOf(count), false).set;
    const few = arrayBytes(FEW, channels);
    const many = arrayBytes(MANY, channels);
    const bytes = (many - few) / (MANY - FEW);
    expect(bytes).toBeGreaterThan(2000); // it did measure
    expect(bytes).toBeLessThanOrEqual(BYTES_MAX);
  });
});
