/** Watches the packets of a pcapng file as if they came from an interface. */

import { closeSync, openSync, readSync } from 'node:fs';
import { compileFilter } from '../../../sys/filter/compile.ts';
import { FilterInterpreter } from '../../../sys/filter/interpreter.ts';
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../../../sys/pcapng/blocks.ts';
import { PcapngReader } from '../../../sys/pcapng/reader.ts';
import { CopiedFile } from './copied-file.ts';
import { PacketWatch } from './packet-watch.ts';

export interface FileOptions {
  readonly read: string;
  readonly filter: string;
  readonly write: string | null;
  readonly seed: number;
}

export class FileSniffer {
  readonly watch: PacketWatch;
  /** Packets of link layers that are not read here, and with a filter those that have no Ethernet header. */
  otherLinks = 0;
  readonly #fd: number;
  readonly #reader: PcapngReader;
  readonly #filter: FilterInterpreter | null;
  readonly #copy: CopiedFile | null;

  /** @throws FilterError, and what the file system throws */
  constructor({ read, filter, write, seed }: FileOptions) {
    this.#filter = filter.trim() === '' ? null : new FilterInterpreter(compileFilter(filter));
    this.watch = new PacketWatch(seed);
    this.#fd = openSync(read, 'r');
    this.#reader = new PcapngReader((into) => readSync(this.#fd, into, 0, into.length, null));
    try {
      this.#copy = write === null ? null : new CopiedFile(write, read);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  get written(): number {
    return this.#copy?.packets ?? 0;
  }

  /** Reads up to `packets` packets; false once the file is at its end. @throws PcapngError */
  advance(packets: number): boolean {
    const reader = this.#reader;
    for (let i = 0; i < packets; i++) {
      if (!reader.next()) return false;
      const { bytes, offset, end, wireBytes, seconds, nanoseconds } = reader;
      if (reader.linkType === LINKTYPE_ETHERNET) {
        if (this.#filter !== null && this.#filter.run(bytes, offset, end, wireBytes) === 0) continue;
        this.watch.addFrame(bytes, offset, end, wireBytes, seconds, nanoseconds);
        this.#copy?.append(bytes.subarray(offset, end), wireBytes, seconds, nanoseconds);
      } else if (reader.linkType === LINKTYPE_RAW && this.#filter === null && this.#copy === null) {
        this.watch.addIpPacket(bytes, offset, end, wireBytes, seconds, nanoseconds);
      } else this.otherLinks++;
    }
    return true;
  }

  close(): void {
    try {
      this.#copy?.close();
    } finally {
      closeSync(this.#fd);
    }
  }
}
