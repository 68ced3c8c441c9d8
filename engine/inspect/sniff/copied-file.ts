/** Writes Ethernet frames out of one pcapng file into another; for frames of a ring there is `sys/packet-ring/frame-file.ts`. */

import { closeSync, openSync, writeSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import {
  enhancedPacket,
  interfaceDescription,
  LINKTYPE_ETHERNET,
  NANOSECONDS,
  sectionHeader,
} from '../../../sys/pcapng/blocks.ts';
import { NanosecondWords } from '../../../sys/pcapng/time.ts';
import { ConfigError } from '../../errors.ts';

const CHUNK_BYTES = 1 << 18;

export class CopiedFile {
  packets = 0;
  readonly #fd: number;
  readonly #time: NanosecondWords = new NanosecondWords();
  #blocks: Uint8Array[] = [];
  #bytes = 0;

  /** @throws ConfigError where both files are one */
  constructor(file: string, from: string) {
    if (resolve(file) === resolve(from))
      throw new ConfigError('--write', 'is the file that is read: choose another name');
    this.#fd = openSync(file, 'w');
    this.#put(sectionHeader('tickwire sniff'));
    this.#put(interfaceDescription(LINKTYPE_ETHERNET, basename(from), 'out of a file', NANOSECONDS));
  }

  append(frame: Uint8Array, wireBytes: number, seconds: number, nanoseconds: number): void {
    this.#time.set(seconds, nanoseconds);
    this.#put(enhancedPacket(0, this.#time.high >>> 0, this.#time.low >>> 0, frame, 0, [], wireBytes));
    this.packets++;
  }

  close(): void {
    try {
      this.#flush();
    } finally {
      closeSync(this.#fd);
    }
  }

  #put(block: Uint8Array): void {
    this.#blocks.push(block);
    this.#bytes += block.length;
    if (this.#bytes >= CHUNK_BYTES) this.#flush();
  }

  #flush(): void {
    const bytes = Buffer.concat(this.#blocks);
    this.#blocks = [];
    this.#bytes = 0;
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
  }
}
