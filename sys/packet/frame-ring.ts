/**
 * Sending frames by a ring that is shared with the kernel (PACKET_TX_RING, TPACKET_V2): headers and payload are written there,
 * and one call sends what was written since the last.
 *
 * Cheaper than messages, which the kernel must read piece by piece, but for one interface a call and for one datagram a
 * frame. A frame that is refused stays first in the ring, for the kernel as for us: its place is free again, and the caller
 * sends the datagram in another way.
 */

import { type DatagramBatch, SysError } from '../api.ts';
import { errnoOf } from '../errno.ts';
import { NativeArena } from '../ffi/arena.ts';
import { lastErrno, must } from '../ffi/syscall.ts';
import { MSG_DONTWAIT } from '../linux/abi.ts';
import { type LinuxCalls, linuxCalls } from '../linux/calls.ts';
import { type FrameTemplates, HEADERS_SHIFT, IPV6_HEADERS_BYTES } from '../linux/netlink/frame-templates.ts';
import { setOption } from '../linux/udp-socket.ts';
import { RingMemory } from '../packet-ring/ring-memory.ts';
import { ETHERTYPE_IPV4 } from '../wire/numbers.ts';
import * as abi from './abi.ts';
import { OFFLOAD_BYTES, OFFLOAD_WORDS, writeOffload } from './offload-header.ts';
import { openPacketSocket } from './packet-fd.ts';

/** Frames of a ring: a tick of a large server. More wait for room, or go as messages. */
const FRAMES_MAX = 1024;
const FRAMES_MIN = 64;
/** Payloads of a usual Ethernet fit; longer ones go as messages. */
const PAYLOAD_BYTES_MAX = 1472;
/** The kernel allocates blocks of this size, each in one piece; frames do not cross them. */
const BLOCK_BYTES = 65_536;
const LINE_BYTES = 64;
/** Frames of one call: they are in the nearer caches still when the kernel reads them. */
const FRAMES_AT_ONCE = 256;
/** Payloads up to this many bytes are copied by words: a call of memcpy costs what 40 words cost. */
const COPY_BY_WORDS_MAX = 160;
const EINTR: number = errnoOf('EINTR');
const EAGAIN: number = errnoOf('EAGAIN');

const LENGTH_WORD: number = abi.Tpacket2Hdr.bytes / 4;
const DATA_WORD: number = abi.Tpacket2Hdr.SIZE / 4;
const HEADERS_WORD: number = DATA_WORD + OFFLOAD_WORDS;

/** The ring of one socket. */
export class FrameRing {
  /** Why the last `send` stopped early: an errno; 0: it did not. */
  refusal = 0;
  /** System calls of the last `send`. */
  calls = 0;
  private readonly batch: DatagramBatch;
  private readonly templates: FrameTemplates;
  private readonly linux: LinuxCalls = linuxCalls();
  private readonly memory: RingMemory;
  private readonly name: NativeArena = NativeArena.map(abi.SockaddrLl.SIZE);
  /** Word at which each frame starts. */
  private readonly wordOf: Int32Array;
  private readonly payloadBytesMax: number;
  private readonly memcpy: (to: number, from: number, bytes: number) => number = linuxCalls().memcpy;
  private fd: number;
  /** The next frame to be written, here and in the kernel. */
  private head = 0;

  /** @throws SysError what the kernel refused: it has no such ring, or no memory for it */
  constructor(batch: DatagramBatch, templates: FrameTemplates) {
    this.batch = batch;
    this.templates = templates;
    this.payloadBytesMax = Math.min(batch.slotBytes, PAYLOAD_BYTES_MAX);
    const frameBytes = frameBytesFor(this.payloadBytesMax);
    const perBlock = Math.floor(BLOCK_BYTES / frameBytes);
    const blocks = Math.ceil(Math.min(FRAMES_MAX, Math.max(FRAMES_MIN, batch.slots)) / perBlock);
    this.fd = openPacketSocket(this.linux);
    try {
      const scratch = NativeArena.map(64);
      setOption(this.linux, scratch, this.fd, abi.SOL_PACKET, abi.PACKET_VNET_HDR, 1);
      setOption(this.linux, scratch, this.fd, abi.SOL_PACKET, abi.PACKET_VERSION, abi.TPACKET_V2);
      scratch.u32[abi.TpacketReq.blockBytes / 4] = BLOCK_BYTES;
      scratch.u32[abi.TpacketReq.blocks / 4] = blocks;
      scratch.u32[abi.TpacketReq.frameBytes / 4] = frameBytes;
      scratch.u32[abi.TpacketReq.frames / 4] = blocks * perBlock;
      must('setsockopt', () =>
        this.linux.setsockopt(this.fd, abi.SOL_PACKET, abi.PACKET_TX_RING, scratch.address, abi.TpacketReq.SIZE),
      );
      this.memory = new RingMemory(this.fd, blocks * BLOCK_BYTES);
    } catch (error) {
      this.linux.close(this.fd);
      throw error;
    }
    this.wordOf = new Int32Array(blocks * perBlock);
    for (let i = 0; i < this.wordOf.length; i++) {
      this.wordOf[i] = (Math.floor(i / perBlock) * BLOCK_BYTES + (i % perBlock) * frameBytes) / 4;
    }
    this.name.view.setUint16(abi.SockaddrLl.family, abi.AF_PACKET, true);
    this.name.view.setUint16(abi.SockaddrLl.protocol, ETHERTYPE_IPV4, false);
  }

  /**
   * Sends entries from `from` on, each by its template, as far as they are below `to`, have one, and fit. Returns the first
   * entry that did not leave: it cannot go by the ring, the ring is full, or it was refused.
   *
   * @param joins whether neighbours of one template are left to who joins them
   */
  send(ways: Int32Array, from: number, to: number, joins: boolean): number {
    this.refusal = 0;
    this.calls = 0;
    let entry = from;
    while (entry < to) {
      const written = this.fill(ways, entry, to, joins);
      if (written === 0) break;
      const taken = this.kick(written);
      entry += taken;
      if (taken < written) break;
    }
    return entry;
  }

  close(): void {
    if (this.fd < 0) return;
    this.memory.release();
    this.linux.close(this.fd);
    this.fd = -1;
  }

  /** Writes frames from `head` on, as many as one call takes; returns how many. */
  private fill(ways: Int32Array, from: number, to: number, joins: boolean): number {
    const { templates, wordOf, payloadBytesMax } = this;
    const { words } = this.memory;
    const { length } = this.batch;
    const frames = wordOf.length;
    const end = Math.min(to, from + FRAMES_AT_ONCE, from + frames);
    let { head } = this;
    let entry = from;
    let interfaceIndex = 0;
    for (; entry < end; entry++) {
      const template = ways[entry]!;
      const bytes = length[entry]!;
      if (template < 0 || bytes > payloadBytesMax) break;
      if (joins && entry + 1 < to && ways[entry + 1] === template) break;
      const frame = wordOf[head]!;
      if (words[frame] !== abi.TP_STATUS_AVAILABLE) break; // the card has not sent it yet
      const by = templates.interfaceOf(template);
      if (interfaceIndex === 0) interfaceIndex = by;
      else if (interfaceIndex !== by) break;
      const headerWords = templates.write(template, words, frame + HEADERS_WORD, bytes);
      writeOffload(words, frame + DATA_WORD, headerWords, 0);
      const payload = frame + HEADERS_WORD + headerWords;
      this.copy(entry, payload, bytes);
      words[frame + LENGTH_WORD] = (payload - frame - DATA_WORD) * 4 + bytes;
      words[frame] = abi.TP_STATUS_SEND_REQUEST;
      if (++head === frames) head = 0;
    }
    this.name.i32[abi.SockaddrLl.interface / 4] = interfaceIndex;
    return entry - from;
  }

  private copy(entry: number, to: number, bytes: number): void {
    const { batch, memory } = this;
    const from = batch.offset[entry]!;
    if (bytes > COPY_BY_WORDS_MAX) {
      this.memcpy(memory.address + to * 4, batch.arenaAddress + from, bytes);
      return;
    }
    const { words } = memory;
    const { view, arena } = batch;
    const whole = bytes >>> 2;
    for (let i = 0; i < whole; i++) words[to + i] = view.getInt32(from + (i << 2), true);
    for (let i = whole << 2; i < bytes; i++) memory.bytes[(to << 2) + i] = arena[from + i]!;
  }

  /** Makes the kernel send the `written` frames from `head` on; returns how many it took. */
  private kick(written: number): number {
    const { words } = this.memory;
    const { wordOf } = this;
    const frames = wordOf.length;
    let errno = 0;
    do {
      this.calls++;
      const result = this.linux.sendto(this.fd, 0, 0, MSG_DONTWAIT, this.name.address, abi.SockaddrLl.SIZE);
      errno = result < 0 ? lastErrno() : 0;
    } while (errno === EINTR);
    let taken = written;
    if (errno !== 0 || this.isRefused(written - 1)) {
      taken = 0;
      while (taken < written && !this.isRefused(taken)) taken++;
      for (let i = taken; i < written; i++) words[wordOf[(this.head + i) % frames]!] = abi.TP_STATUS_AVAILABLE;
      if (taken < written) this.refusal = errno === 0 ? EAGAIN : errno; // without an error there was no room for the rest
    }
    this.head = (this.head + taken) % frames;
    return taken;
  }

  /** Whether the frame `i` behind `head`, which was written, was not taken by the kernel. */
  private isRefused(i: number): boolean {
    const status = this.memory.words[this.wordOf[(this.head + i) % this.wordOf.length]!]!;
    return status === abi.TP_STATUS_SEND_REQUEST || status === abi.TP_STATUS_WRONG_FORMAT;
  }
}

/**
 * Bytes of a frame with room for such payloads: an odd number of cache lines, so that frames do not all share a few of the
 * cache's sets.
 */
function frameBytesFor(payloadBytes: number): number {
  const bytes = abi.Tpacket2Hdr.SIZE + OFFLOAD_BYTES + IPV6_HEADERS_BYTES + HEADERS_SHIFT + payloadBytes;
  const lines = Math.ceil(bytes / LINE_BYTES);
  return (lines | 1) * LINE_BYTES;
}

/** Opens a ring; null where the kernel has none. */
export function openRing(batch: DatagramBatch, templates: FrameTemplates): FrameRing | null {
  try {
    return new FrameRing(batch, templates);
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
    return null; // the answer, not a failure: frames go as messages
  }
}
