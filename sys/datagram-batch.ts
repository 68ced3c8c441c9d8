/**
 * Datagrams side by side: the data type in which the kernel's sockets and the protocol meet.
 */

import { ADDRESS_BYTES } from './address.ts';

/** Free bytes before each transmit slot: Ethernet, IP and UDP headers of a bypass, the AEAD's key block. */
export const HEADROOM_BYTES = 64;

/** Free bytes after each transmit slot: the AEAD's tag, padding and length block. */
export const TAILROOM_BYTES = 48;

/**
 * Datagrams side by side in one arena: the only thing that passes between layers.
 *
 * Slots 0 .. count - 1 are held. Slot `i` is `arena[offset[i] .. offset[i] + length[i])` and belongs to
 * `address[i * ADDRESS_BYTES ..]`: its source in `rx`, its destination in `tx`.
 *
 * In `tx` the writer may move `offset[i]` within the slot (a header is written into the headroom when its size is known);
 * the batch resets it when the slot is used again. `receivedAt` and `localAddress` are null unless the socket was opened
 * with that column.
 */
export class DatagramBatch {
  /** Datagrams held now. The writer counts up; a socket's `flush()` counts down and moves the rest to the front. */
  count = 0;
  /** How many datagrams fit. */
  readonly slots: number;
  /** Bytes from one slot's home to the next; 0 where slots are not equally spaced (coalesced receive: no headroom). */
  readonly strideBytes: number;
  /** Payload bytes that fit in one slot, not counting headroom and tailroom. */
  readonly slotBytes: number;
  readonly arena: Uint8Array;
  /**
   * Where `arena[0]` lies in native memory, below 2^31 so that adding to it stays a small integer; 0 when it is ordinary
   * memory, which native code must not keep. Set by the backend that mapped the arena.
   */
  arenaAddress = 0;
  readonly view: DataView;
  readonly offset: Uint32Array;
  readonly length: Uint16Array;
  readonly address: Uint8Array;
  /** The same bytes as words, ADDRESS_BYTES / 4 a slot: for comparing and hashing without looking at each byte. */
  readonly addressWords: Int32Array;
  /** When the kernel took each datagram in, on the clock of `Sys.clock`; null unless asked for. */
  readonly receivedAt: Float64Array | null;
  /** Local address that each datagram was sent to, `ADDRESS_BYTES` a slot; null unless asked for. */
  readonly localAddress: Uint8Array | null;

  constructor(
    arena: Uint8Array,
    slots: number,
    slotBytes: number,
    columns: BatchColumns = {},
    memory: BatchMemory = {},
  ) {
    this.slots = slots;
    this.slotBytes = slotBytes;
    this.strideBytes = memory.coalesced ? 0 : slotStrideBytes(slotBytes);
    this.arena = arena;
    this.arenaAddress = memory.address ?? 0;
    this.view = new DataView(arena.buffer, arena.byteOffset, arena.byteLength);
    this.offset = new Uint32Array(slots);
    this.length = new Uint16Array(slots);
    this.address = new Uint8Array(slots * ADDRESS_BYTES);
    this.addressWords = new Int32Array(this.address.buffer);
    this.receivedAt = columns.receivedAt ? new Float64Array(slots) : null;
    this.localAddress = columns.localAddress ? new Uint8Array(slots * ADDRESS_BYTES) : null;
    for (let slot = 0; slot < slots; slot++) this.offset[slot] = this.home(slot);
  }

  /** A batch in ordinary memory: for the simulator, tests, and backends without native arenas. */
  static allocate(slots: number, slotBytes: number, columns: BatchColumns = {}, spareBytes = 0): DatagramBatch {
    return new DatagramBatch(
      new Uint8Array(slots * slotStrideBytes(slotBytes) + spareBytes),
      slots,
      slotBytes,
      columns,
    );
  }

  /** Where the payload of `slot` starts when nobody has moved it: after its headroom. */
  home(slot: number): number {
    return slot * this.strideBytes + HEADROOM_BYTES;
  }

  /**
   * The first `gone` datagrams leave; the rest moves to the front, bytes and all, each to its slot's home. A moved offset
   * moves along, relative to its slot.
   */
  dropFront(gone: number): void {
    const { arena, offset, length, address, localAddress, count } = this;
    const left = count - gone;
    if (left > 0 && gone > 0) {
      for (let i = 0; i < left; i++) {
        const from = offset[gone + i]!;
        const to = this.home(i) + (from - this.home(gone + i));
        arena.copyWithin(to, from, from + length[gone + i]!);
        offset[i] = to;
      }
      length.copyWithin(0, gone, count);
      address.copyWithin(0, gone * ADDRESS_BYTES, count * ADDRESS_BYTES);
      localAddress?.copyWithin(0, gone * ADDRESS_BYTES, count * ADDRESS_BYTES);
    }
    for (let i = left; i < count; i++) offset[i] = this.home(i);
    this.count = left;
  }

  /** Where the bytes behind the slots start, up to the end of the arena: the caller's own (`txSpareBytes`). */
  get spareOffset(): number {
    return this.slots * this.strideBytes;
  }

  /** Whether no further datagram fits. */
  get full(): boolean {
    return this.count >= this.slots;
  }
}

/** Optional columns of a batch; each costs time per datagram on receive (about a quarter of it for the timestamp). */
export interface BatchColumns {
  readonly receivedAt?: boolean;
  readonly localAddress?: boolean;
}

/** What a backend says about the memory under a batch. */
export interface BatchMemory {
  /** Address of the arena's first byte, where it is native memory. */
  readonly address?: number;
  /** Datagrams lie wherever the kernel put them: the arena need not hold `slots` strides, and `home()` means nothing. */
  readonly coalesced?: boolean;
}

/** Bytes of one slot with its headroom and tailroom, rounded up to a cache line. */
export function slotStrideBytes(slotBytes: number): number {
  return (HEADROOM_BYTES + slotBytes + TAILROOM_BYTES + 63) & ~63;
}
