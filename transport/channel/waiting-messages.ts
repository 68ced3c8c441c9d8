/**
 * What waits to be sent, as bytes: when a connection goes to another endpoint, everything that has been begun is settled first, and
 * the messages that have not go along.
 */

import type { Micros } from '../../sys/api.ts';
import { NEVER } from '../../sys/api.ts';
import { loadRow, saveRow } from '../rows.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import { isExactlyOnce } from './channel-set.ts';
import { WAITING } from './message-rings.ts';
import type { Outgoing } from './outgoing.ts';

/** More bytes than this wait until they are fewer: whatever holds a connection at once should not take seconds to copy. */
export const WAITING_BYTES_MAX: number = 1 << 23;

/** Whether all messages of a connection are settled but those that nothing of has been sent. */
export function isResting(outgoing: Outgoing, c: number): boolean {
  const { backlog, rings, channels } = outgoing;
  if (outgoing.unsettled[c] !== backlog.messagesOf(c) || backlog.bytesOf(c) > WAITING_BYTES_MAX) return false;
  for (let s = c * channels.count; s < (c + 1) * channels.count; s++) {
    for (let id = rings.nextWaiting[s]!; id < rings.nextId[s]!; id++) {
      const slot = rings.slotOf(s, id);
      if (rings.state[slot] === WAITING && outgoing.isBegun(slot)) return false;
    }
  }
  return true;
}

/** Writes down what waits for a connection that `isResting`, and how far its channels have come. */
export function saveWaiting(outgoing: Outgoing, c: number, writer: ByteWriter, now: Micros): void {
  const { rings, pool, channels } = outgoing;
  saveRow(writer, c, [outgoing.window]);
  for (let s = c * channels.count; s < (c + 1) * channels.count; s++) {
    const ids: number[] = [];
    for (let id = rings.nextWaiting[s]!; id < rings.nextId[s]!; id++) {
      if (rings.state[rings.slotOf(s, id)] === WAITING) ids.push(id);
    }
    saveRow(writer, s, [outgoing.lastTick]);
    // Where each id counts they go on without a gap; else some may have been sent that are newer than one that waits.
    const counts = isExactlyOnce(channels.kind[s - c * channels.count]!);
    writer.f64(counts ? (ids[0] ?? rings.nextId[s]!) : rings.nextId[s]!).u32(ids.length);
    for (const id of ids) {
      const slot = rings.slotOf(s, id);
      const expiresAt = rings.expiresAt[slot]!;
      const length = rings.length[slot]!;
      writer.u32(length).u32(rings.tag[slot]!).u32(rings.receipt[slot]!);
      writer.f64(expiresAt === NEVER ? 0 : Math.max(1, expiresAt - now));
      const at = pool.offsetOf(rings.block[slot]!);
      writer.bytes(pool.bytesOf(rings.block[slot]!).subarray(at, at + length));
    }
  }
}

/** What waits is somebody else's now: when the connection is closed nobody is told that it is lost. */
export function disown({ rings, channels }: Outgoing, c: number): void {
  for (let s = c * channels.count; s < (c + 1) * channels.count; s++) {
    for (let id = rings.nextWaiting[s]!; id < rings.nextId[s]!; id++) rings.receipt[rings.slotOf(s, id)] = 0;
  }
}

/** Reads what `saveWaiting` wrote, into a connection that was cleared. False: there is no room for the messages. */
export function loadWaiting(outgoing: Outgoing, c: number, reader: ByteReader, now: Micros): boolean {
  const { rings, pool, channels } = outgoing;
  loadRow(reader, c, [outgoing.window]);
  for (let channel = 0; channel < channels.count; channel++) {
    const s = c * channels.count + channel;
    loadRow(reader, s, [outgoing.lastTick]);
    rings.startAt(s, reader.f64());
    for (let left = reader.u32(); left > 0; left--) {
      const length = reader.u32();
      const tag = reader.u32();
      const receipt = reader.u32();
      const ttlMicros = reader.f64();
      const bytes = reader.bytes(length);
      const block = pool.take(Math.max(1, length));
      if (block < 0) return false;
      pool.bytesOf(block).set(bytes, pool.offsetOf(block));
      const queued = outgoing.enqueue(c, channel, block, length, tag, receipt, ttlMicros, now);
      pool.release(block);
      if (!queued) return false;
    }
  }
  return true;
}
