/** Frames as a pcap file (the classic format, microseconds), for tools that read such files. */

const MAGIC = 0xa1b2c3d4;
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const LINKTYPE_ETHERNET = 1;
const SNAPSHOT_BYTES = 65_535;

/** @param wireBytes of each frame before it was cut; by default its own */
export function pcapOf(
  frames: readonly Uint8Array[],
  wireBytes: readonly number[] = frames.map((f) => f.length),
): Buffer {
  const head = Buffer.alloc(FILE_HEADER_BYTES);
  head.writeUInt32LE(MAGIC, 0);
  head.writeUInt16LE(2, 4); // version 2.4
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(SNAPSHOT_BYTES, 16);
  head.writeUInt32LE(LINKTYPE_ETHERNET, 20);
  const records = frames.flatMap((frame, i) => {
    const record = Buffer.alloc(RECORD_HEADER_BYTES);
    record.writeUInt32LE(i, 4); // a microsecond apart, so that they are told from each other
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(wireBytes[i]!, 12);
    return [record, frame];
  });
  return Buffer.concat([head, ...records]);
}
