/** From queued messages to packets: the same on a server and on a client. */

import type { DatagramBatch, Micros } from '../../sys/api.ts';
import { PAYLOAD_BYTES_MAX } from '../netcode/packets.ts';
import type { SendQueue } from './send-queue.ts';

/** The half of netcode that carries payloads. */
export interface PayloadWriter {
  isConnected(connection: number): boolean;
  /** Seals the plaintext at `batch.home(batch.count)`, `batch.length[batch.count]` bytes, and appends it to the batch. */
  writePayload(batch: DatagramBatch, connection: number, now: Micros): void;
}

/** Packets in a row for one connection: neighbours of one peer go out as one send, but nobody waits for a long queue. */
const BURST_PACKETS = 8;

/** Packs what waits in `queue` into packets until `batch`, whose arena is the queue's, is full or nothing waits. */
export function transmitQueued(queue: SendQueue, netcode: PayloadWriter, batch: DatagramBatch, now: Micros): void {
  while (queue.readyCount > 0 && !batch.full) {
    const connection = queue.takeReady();
    if (!netcode.isConnected(connection)) {
      queue.clear(connection);
      continue;
    }
    for (let i = 0; i < BURST_PACKETS && !batch.full && queue.waiting(connection) > 0; i++) {
      const slot = batch.count;
      batch.length[slot] = queue.pack(connection, batch.home(slot), PAYLOAD_BYTES_MAX);
      netcode.writePayload(batch, connection, now);
    }
    queue.putBack(connection);
  }
}
