/**
 * A `Connections` with several connections whose peers a test plays: payloads go in by hand, under numbers by hand, and what
 * it sends is seen and dropped. Time stands still until the test moves it.
 */

import { DatagramBatch, type Micros } from '../../sys/api.ts';
import type { ChannelSet } from '../../transport/channel/channel-set.ts';
import type { MessageSink } from '../../transport/channel/incoming.ts';
import type { OutgoingSink } from '../../transport/channel/outgoing-events.ts';
import { Connections, type ConnectionsOptions } from '../../transport/connections.ts';
import type { Session } from '../../transport/session.ts';
import { lcg } from './pair.ts';

/** What `give` answers. */
export type Taken = 'taken' | 'malformed' | 'refused' | 'violation';

export class Target implements Session {
  readonly connections: Connections;
  readonly tx: DatagramBatch = DatagramBatch.allocate(64, 2048, {}, 65_536);
  readonly receivedNumber: Float64Array = new Float64Array(1);
  readonly writtenNumber: Float64Array = new Float64Array(1);
  /** By connection: the next number that we write, and the next that the peer writes. */
  readonly next: Float64Array;
  readonly peerNext: Float64Array;
  now: Micros;
  /** Messages handed over, packets written, numbers left out; ids kept. */
  messages = 0;
  packets = 0;
  skipped: { c: number; number: number }[] = [];
  storedIds = 0;
  receipts = 0;
  writable: number[] = [];
  onMessage: ((c: number, channel: number, tag: number, bytes: Uint8Array) => void) | null = null;
  onPacket: ((c: number, number: number, bytes: Uint8Array, offset: number, length: number) => void) | null = null;
  readonly sink: MessageSink & OutgoingSink = {
    message: (c, channel, bytes, offset, length, tag) => {
      this.messages++;
      this.onMessage?.(c, channel, tag, bytes.slice(offset, offset + length));
    },
    receipt: () => void this.receipts++,
    writable: (_, channel) => void this.writable.push(channel),
    blackHole: () => {},
  };

  constructor(
    options: Partial<ConnectionsOptions> & { connections: number; channels: ChannelSet },
    start: { now?: Micros; number?: number; peerNumber?: number; seed?: number } = {},
  ) {
    this.now = start.now ?? 1_000_000;
    this.next = new Float64Array(options.connections).fill(start.number ?? 0);
    this.peerNext = new Float64Array(options.connections).fill(start.peerNumber ?? 0);
    this.connections = new Connections(
      {
        backlogMax: 32_768,
        backlogBytesMax: 1 << 26,
        sendMemoryBytesMax: 1 << 28,
        receiveMemoryBytesMax: 1 << 28,
        windowBytes: 1 << 20,
        ...options,
      },
      this,
      lcg(start.seed ?? 1),
      this.tx,
    );
    for (let c = 0; c < options.connections; c++) this.connections.open(c, this.now);
  }

  /** Gives a payload to a connection, under the next number of its peer or a given one. */
  give(c: number, bytes: Uint8Array, number: number = this.peerNext[c]!): Taken {
    const { frames } = this.connections;
    const malformed = frames.malformed;
    const refused = frames.refused;
    this.receivedNumber[0] = number;
    this.peerNext[c] = Math.max(this.peerNext[c]!, number + 1);
    if (!this.connections.receive(c, bytes, 0, bytes.length, this.now, this.sink)) return 'violation';
    return frames.malformed > malformed ? 'malformed' : frames.refused > refused ? 'refused' : 'taken';
  }

  /** Queues a message of `length` bytes; false: backlog full. */
  send(c: number, channel: number, length: number, tag = 0, receipt = 0, ttlMicros = 0): boolean {
    const { pool } = this.connections;
    const block = pool.take(length);
    if (block < 0) return false;
    pool.bytesOf(block).fill(length, pool.offsetOf(block), pool.offsetOf(block) + length);
    const queued = this.connections.send(c, channel, block, length, tag, receipt, ttlMicros, this.now);
    pool.release(block);
    return queued;
  }

  /** Moves time on and lets everything leave that is due. Returns the packets that left. */
  turn(micros = 0): number {
    this.now += micros;
    const { connections, tx } = this;
    const before = this.packets;
    connections.advance(this.now);
    connections.drain(this.sink, this.now);
    for (let round = 0; ; round++) {
      if (round > 10_000) throw new Error('it does not stop sending');
      connections.transmit(tx, this.now);
      if (tx.count === 0) break;
      tx.count = 0;
    }
    return this.packets - before;
  }

  /** Begins a connection again, its numbers running on. */
  reopen(c: number): void {
    this.connections.close(c, this.now);
    this.connections.open(c, this.now);
  }

  isConnected(): boolean {
    return true;
  }

  writePayload(batch: DatagramBatch, c: number): boolean {
    const slot = batch.count++;
    batch.offset[slot] = batch.home(slot);
    this.writtenNumber[0] = this.next[c]!++;
    this.packets++;
    this.onPacket?.(c, this.writtenNumber[0]!, batch.arena, batch.offset[slot]!, batch.length[slot]!);
    return true;
  }

  skipNumber(c: number): void {
    this.writtenNumber[0] = this.next[c]!++;
    this.skipped.push({ c, number: this.writtenNumber[0]! });
  }

  idsWanted(): number {
    return 0;
  }

  issueId(): boolean {
    return false;
  }

  storeId(): void {
    this.storedIds++;
  }
}
