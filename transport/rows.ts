/**
 * One row of several columns as bytes, and back: how a connection goes from one endpoint to another (`handover.ts`).
 *
 * Every number is written as a double, whatever its column: a hand-over is rare, and both ends run the same code.
 */

import type { ByteReader } from './wire/byte-reader.ts';
import type { ByteWriter } from './wire/byte-writer.ts';

type Column = Float64Array | Int32Array | Uint32Array | Uint16Array | Uint8Array;

/** Writes `column[row]` of each column. */
export function saveRow(writer: ByteWriter, row: number, columns: readonly Column[]): void {
  for (const column of columns) writer.f64(column[row]!);
}

/** Reads what `saveRow` wrote of the same columns. */
export function loadRow(reader: ByteReader, row: number, columns: readonly Column[]): void {
  for (const column of columns) column[row] = reader.f64();
}

/** Writes `column[start .. start + count)`. */
export function saveSpan(writer: ByteWriter, column: Column, start: number, count: number): void {
  for (let i = start; i < start + count; i++) writer.f64(column[i]!);
}

/** Reads what `saveSpan` wrote. */
export function loadSpan(reader: ByteReader, column: Column, start: number, count: number): void {
  for (let i = start; i < start + count; i++) column[i] = reader.f64();
}
