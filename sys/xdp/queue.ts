/** One queue of an interface: the socket that owns its rings of free and of sent frames, and the frames that are lent out. */

import { MSG_DONTWAIT } from '../linux/abi.ts';
import { xdpCalls } from './calls.ts';
import type { ProducerRing } from './ring.ts';
import type { Xsk } from './xsk.ts';

/** The receiving side of a queue. Frames go round: free, received, lent to whoever reads the batch, free again. */
export class XdpQueue {
  /** Owns the queue; receives nothing itself. */
  readonly root: Xsk;
  readonly number: number;
  private readonly fill: ProducerRing;
  /** Frames that a batch points into, until the next receive. */
  private readonly lent: Int32Array;
  private lentCount = 0;

  /** Makes the frames from byte `start` on free to receive into: `frames` of them, which fit into the fill ring of `root`. */
  constructor(root: Xsk, number: number, start: number, frames: number, chunkBytes: number) {
    this.root = root;
    this.number = number;
    this.fill = root.fill!;
    this.lent = new Int32Array(frames);
    for (let i = 0; i < frames; i++) this.lend(start + i * chunkBytes);
    this.recycle();
  }

  /** Notes that the frame at byte `frame` is read by somebody now. */
  lend(frame: number): void {
    this.lent[this.lentCount++] = frame;
  }

  /** Makes all lent frames free. */
  recycle(): void {
    const count = this.lentCount;
    if (count === 0) return;
    const { fill, lent } = this;
    // There is room: the ring holds all frames of the queue, and each is in one place.
    fill.reserve(count);
    for (let i = 0; i < count; i++) {
      const word = fill.wordOf(i);
      fill.words[word] = lent[i]!;
      fill.words[word + 1] = 0;
    }
    fill.submit(count);
    this.lentCount = 0;
    if (fill.needsWakeup) xdpCalls().recvfrom(this.root.fd, 0, 0, MSG_DONTWAIT, 0, 0);
  }

  close(): void {
    this.lentCount = 0;
    this.root.close();
  }
}
