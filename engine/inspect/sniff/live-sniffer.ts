/**
 * Watches an interface: takes blocks of frames from the ring when the poller says that there are some, counts each frame
 * where it lies, writes it to a file from there if asked, and gives the block back.
 */

import type { Clock } from '../../../sys/api.ts';
import { ONESHOT, READABLE } from '../../../sys/api.ts';
import { compileFilter } from '../../../sys/filter/compile.ts';
import { EpollPoller } from '../../../sys/linux/epoll.ts';
import { FrameFile } from '../../../sys/packet-ring/frame-file.ts';
import { PacketRing, RING_SHAPE, type RingCounts } from '../../../sys/packet-ring/packet-ring.ts';
import { ringError } from '../../../sys/packet-ring/ring-error.ts';
import { PacketWatch } from './packet-watch.ts';
import { warmUp } from './warm-up.ts';

/** The ring's key in the poller: its only one. */
const RING_KEY = 1;
/** Blocks of one turn: all there are, once. Then signals and timers have theirs. */
const BLOCKS_A_TURN: number = RING_SHAPE.blocks;
/**
 * While frames come, the ring is looked into after so long, in place of at each block: a third of the wake-ups, which at
 * 100,000 packets a second cost more than the packets do. 30 ms of a gigabyte a second are not yet the whole ring.
 */
const REST_MICROS = 30_000;
/** A look that finds so many blocks is followed by an early one: the load may be growing. */
const BUSY_BLOCKS: number = RING_SHAPE.blocks >> 1;
const BUSY_REST_MICROS = 5_000;
/** After the last frame of interest its block is handed over within so long; twice the ring's time for a busy machine. */
export const LAST_BLOCK_MILLIS: number = 2 * RING_SHAPE.retireMillis;

export interface LiveOptions {
  readonly interfaceName: string;
  /** tcpdump's language (sys/filter/compile.ts); '' takes all. */
  readonly filter: string;
  /** The pcapng file; null: none. */
  readonly write: string | null;
  readonly promiscuous?: boolean;
  /** Random. */
  readonly seed: number;
  readonly clock: Clock;
}

export class LiveSniffer {
  readonly watch: PacketWatch;
  readonly #ring: PacketRing;
  readonly #file: FrameFile | null;
  readonly #poller: EpollPoller;
  readonly #clock: Clock;
  #isOpen = true;
  /** The file could not be written: frames of the block at hand are counted, and must not be again. */
  #isBroken = false;

  /** @throws SysError, FilterError, and what the file system throws; nothing stays open */
  constructor(options: LiveOptions) {
    const filter = compileFilter(options.filter);
    warmUp();
    this.#clock = options.clock;
    this.watch = new PacketWatch(options.seed);
    this.#ring = new PacketRing(options.interfaceName, { filter, promiscuous: options.promiscuous ?? false });
    try {
      this.#file =
        options.write === null
          ? null
          : new FrameFile(options.write, options.interfaceName, options.filter, this.#ring.address);
      this.#poller = new EpollPoller(() => options.clock.now());
    } catch (error) {
      this.#ring.close();
      throw error;
    }
    this.#poller.add(this.#ring, RING_KEY, READABLE);
  }

  /** Packets in the file so far. */
  get written(): number {
    return this.#file?.frames ?? 0;
  }

  /** The kernel's counts: what passed the filter, what found no room. */
  counts(): RingCounts {
    return this.#ring.counts();
  }

  /**
   * Sees to what comes on Node's loop until `close()`.
   *
   * @param ended told once what went wrong: the interface went down, the disk is full. What was seen stays
   */
  attach(ended: (error: unknown) => void): void {
    this.#poller.modify(this.#ring, RING_KEY, READABLE | ONESHOT);
    this.#poller.attach(() => {
      try {
        this.#look();
      } catch (error) {
        this.#poller.detach();
        ended(error);
      }
    });
  }

  /** Woken by the ring, or by the timer while frames come. */
  #look(): void {
    const poller = this.#poller;
    const isReadable = poller.wait(0) > 0;
    const blocks = this.turn();
    if (blocks > 0) {
      poller.arm(this.#clock.now() + (blocks < BUSY_BLOCKS ? REST_MICROS : BUSY_REST_MICROS));
      return;
    }
    // A readable ring without a block has an error to tell.
    if (isReadable) this.#checkInterface();
    poller.modify(this.#ring, RING_KEY, READABLE | ONESHOT);
  }

  /** Waits for blocks, not longer than so many microseconds, and sees to them; returns how many. For who has no loop. */
  waitAndTurn(micros: number): number {
    this.#poller.wait(micros);
    return this.turn();
  }

  /** Sees to the blocks that the kernel has handed over, at most a ring full; returns how many. */
  turn(): number {
    try {
      return this.#takeBlocks();
    } catch (error) {
      this.#isBroken = true;
      throw error;
    }
  }

  #takeBlocks(): number {
    const ring = this.#ring;
    const file = this.#file;
    const watch = this.watch;
    const { bytes } = ring;
    let blocks = 0;
    while (blocks < BLOCKS_A_TURN && ring.enterBlock()) {
      while (ring.next()) {
        watch.addFrame(bytes, ring.offset, ring.end, ring.wireBytes, ring.seconds, ring.nanoseconds);
        if (file === null) continue;
        file.append(ring.offset, ring.end, ring.wireBytes, ring.seconds, ring.nanoseconds);
        if (ring.isSpoilt) file.flush();
      }
      if (file !== null) file.flush();
      ring.leaveBlock();
      blocks++;
    }
    return blocks;
  }

  /**
   * Ends it: takes what is still in the ring, and closes ring and file.
   *
   * @throws what writing the last frames throws; everything is closed all the same
   */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#poller.close();
    try {
      if (!this.#isBroken) this.turn();
    } finally {
      this.#ring.close();
      this.#file?.close();
    }
  }

  #checkInterface(): void {
    const error = this.#ring.failure();
    if (error !== '') throw ringError(error, 'recv', this.#ring.name);
  }
}
