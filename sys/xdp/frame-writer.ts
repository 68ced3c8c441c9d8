/**
 * From a slot of a transmit batch to a frame: the headers of its template, the payload, and, where the
 * kernel does not, the checksum over both.
 *
 * Frames start HEADERS_SHIFT bytes behind a word, so their IP header and (but for an odd length) their payload go by words.
 */

import type { DatagramBatch } from '../api.ts';
import { linuxCalls } from '../linux/calls.ts';
import { type FrameTemplates, HEADERS_SHIFT } from '../linux/netlink/frame-templates.ts';
import { folded, tailSum } from '../wire/frame-sum.ts';
import type { Umem } from './umem.ts';

/** Payloads longer than this are copied by memcpy: its call costs what 40 words cost. */
const COPY_BY_WORDS_MAX = 160;

/** Writes frames for one socket. */
export class FrameWriter {
  private readonly templates: FrameTemplates;
  private readonly batch: DatagramBatch;
  private readonly address: number;
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly sums: boolean;
  private readonly memcpy: (to: number, from: number, bytes: number) => number = linuxCalls().memcpy;

  /** @param sums whether checksums are computed here; else they are left to the kernel */
  constructor(umem: Umem, templates: FrameTemplates, batch: DatagramBatch, sums: boolean) {
    this.templates = templates;
    this.batch = batch;
    this.address = umem.arena.address;
    this.words = umem.arena.i32;
    this.bytes = umem.arena.bytes;
    this.view = umem.arena.view;
    this.sums = sums;
  }

  /** Writes the datagram in `slot`, by `template`, as a frame HEADERS_SHIFT bytes behind byte `at` of the arena; returns its bytes. */
  write(template: number, slot: number, at: number): number {
    const size = this.batch.length[slot]!;
    const payload = (at >>> 2) + this.templates.write(template, this.words, at >>> 2, size);
    this.copy(slot, payload, size);
    if (this.sums) this.sum(payload, size);
    return (payload << 2) + size - at - HEADERS_SHIFT;
  }

  /** Copies the payload of `slot` to word `to`. */
  private copy(slot: number, to: number, size: number): void {
    const { batch, words } = this;
    const from = batch.offset[slot]!;
    if (size > COPY_BY_WORDS_MAX) {
      this.memcpy(this.address + (to << 2), batch.arenaAddress + from, size);
      return;
    }
    const { view, arena } = batch;
    const whole = size >>> 2;
    for (let i = 0; i < whole; i++) words[to + i] = view.getInt32(from + (i << 2), true);
    for (let i = whole << 2; i < size; i++) this.bytes[(to << 2) + i] = arena[from + i]!;
  }

  /** Computes the UDP checksum of the payload at word `payload` and of the header before it. */
  private sum(payload: number, size: number): void {
    const { words, view } = this;
    const ports = words[payload - 2]!;
    const udp = words[payload - 1]!;
    // The field holds the sum of the pseudo-header. Two sums, so that no addition waits for the one before.
    let low = (ports & 0xffff) + (udp & 0xffff);
    let high = (ports >>> 16) + (udp >>> 16);
    const end = payload + (size >>> 2);
    for (let at = payload; at < end; at++) {
      const word = words[at]!;
      low = (low + (word & 0xffff)) | 0;
      high = (high + (word >>> 16)) | 0;
    }
    const sum = folded(folded(low + tailSum(view, end << 2, size & 3)) + folded(high));
    const checksum = sum === 0xffff ? 0xffff : ~sum & 0xffff; // 0 would say that there is none (RFC 768)
    words[payload - 1] = (udp & 0xffff) | (checksum << 16);
  }
}
