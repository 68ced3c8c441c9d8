/**
 * Payloads as objects: each frame with its fields by name, read by the table of frames. For tools; the product has readers
 * that allocate nothing.
 */

import { FrameCursor } from '../../transport/wire/frame-cursor.ts';
import { FRAME_BY_TYPE, type FrameField, type FrameRow } from '../../transport/wire/frame-table.ts';
import { FRAGMENT_BYTES, ID_BYTES } from '../../transport/wire/frame-types.ts';

/** Value of a field: a number, or a view of the bytes that were read. */
export type FieldValue = number | Uint8Array;
export type FieldValues = { readonly [name: string]: FieldValue };

export interface Frame {
  readonly row: FrameRow;
  readonly type: number;
  /** Where its type lies in the payload, and how many bytes it has. */
  readonly at: number;
  readonly lengthBytes: number;
  readonly fields: FieldValues;
  /** What repeats, in order. */
  readonly items: readonly FieldValues[];
}

/** Frames of a payload, up to the first that cannot be read. */
export interface Payload {
  readonly frames: readonly Frame[];
  /** Every byte of it belongs to a frame. */
  readonly whole: boolean;
}

/** Reads a payload. Bytes in the result are views of `bytes`. */
export function readPayload(bytes: Uint8Array): Payload {
  const cursor = new FrameCursor().wrap(bytes, 0, bytes.length);
  const frames: Frame[] = [];
  while (cursor.remaining > 0) {
    const frame = readFrame(cursor);
    if (frame === null) return { frames, whole: false };
    frames.push(frame);
  }
  return { frames, whole: true };
}

/** Bytes of piece `index` of a message of `size` bytes; -1 when there is no such piece. */
export function pieceBytes(size: number, index: number): number {
  const left = size - index * FRAGMENT_BYTES;
  return left <= 0 ? -1 : Math.min(left, FRAGMENT_BYTES);
}

function readFrame(cursor: FrameCursor): Frame | null {
  const at = cursor.at;
  const type = cursor.u8();
  const row = FRAME_BY_TYPE[type]!;
  if (row === null) return null;
  const fields = readFields(row.fields, cursor);
  const items: FieldValues[] = [];
  if (row.items !== undefined) {
    const { count } = row.items;
    const times = 'field' in count ? (fields[count.field] as number) : type - row.first + count.more;
    for (let i = 0; i < times && cursor.ok; i++) items.push(readFields(row.items.fields, cursor));
  }
  return cursor.ok ? { row, type, at, lengthBytes: cursor.at - at, fields, items } : null;
}

function readFields(fields: readonly FrameField[], cursor: FrameCursor): FieldValues {
  const values: Record<string, FieldValue> = {};
  for (const { name, form } of fields) values[name] = readField(form, values, cursor);
  return values;
}

function readField(form: FrameField['form'], before: FieldValues, cursor: FrameCursor): FieldValue {
  switch (form) {
    case 'u8':
      return cursor.u8();
    case 'u16':
      return cursor.u16();
    case 'u32':
      return cursor.u32();
    case 'u48':
      return cursor.u32() + cursor.u16() * 2 ** 32;
    case 'varint':
      return cursor.varint();
    case 'id':
      return take(cursor, ID_BYTES);
    case 'sized':
      return take(cursor, cursor.varint());
    case 'long':
      return take(cursor, cursor.u16());
    case 'piece':
      return take(cursor, pieceBytes(before.size as number, before.index as number));
  }
}

/** The next `length` bytes; with a negative length the cursor is not `ok` any more, as with too few. */
function take(cursor: FrameCursor, length: number): Uint8Array {
  const at = length < 0 ? cursor.skip(cursor.remaining + 1) : cursor.skip(length);
  return at < 0 ? cursor.bytes.subarray(0, 0) : cursor.bytes.subarray(at, at + length);
}
