/** Packets of a capture in words: for comments and for whoever points at an arrow. */

import { type CapturedPacket, LOSS_WORDS, type NumberRange, type Repetition } from './captured-packet.ts';
import type { FieldValues, Frame } from './frames.ts';
import { PACKET_KINDS } from './packet-opener.ts';

/** Longest comment in characters: a packet of 1,200 bytes may carry hundreds of small frames. */
const CHARACTERS_MAX = 1_000;

/** What the names of channels are asked from. */
export type ChannelName = (channel: number) => string;

/** All that is known about a packet, a line for each thing. */
export function linesAbout(packet: CapturedPacket, nameOf: ChannelName): string[] {
  const lines = [titleOf(packet)];
  const { acked, payload, repeats } = packet.carried;
  if (acked.length > 0) lines.push(`acks ${rangesText(acked)}`);
  if (payload !== null) {
    const carries = payload.frames.map((frame) => frameText(frame, nameOf)).filter((text) => text !== '');
    if (carries.length > 0) lines.push(`carries ${shortened(carries.join('; '))}`);
    if (!payload.whole) lines.push('malformed: its frames cannot be read to the end');
  }
  const again = repeats.filter(({ lost }) => lost);
  const copies = repeats.filter(({ lost }) => !lost);
  if (again.length > 0) lines.push(`retransmission: ${shortened(repetitionsText(again))}`);
  if (copies.length > 0) lines.push(`copy: ${shortened(repetitionsText(copies))}`);
  lines.push(...endingLines(packet));
  return lines;
}

/** `payload 17 of client 3 to the server`. */
export function titleOf({ tried, opened, carried, bytes, direction, index }: CapturedPacket): string {
  const place = `${direction}, datagram ${index}`;
  if (!tried) return `${bytes.length} bytes (${place})`;
  if (opened === null) return `${bytes.length} bytes that no key of the capture opens (${place})`;
  const { session, fromClient, type, sequence } = opened;
  const { number } = carried;
  const long = sequence < 0n || sequence === BigInt(number) ? '' : number < 0 ? ` ${sequence}` : ` (${sequence})`;
  const numbers = number < 0 ? long : ` ${number}${long}`;
  const way = fromClient ? `from client ${session.clientId}` : `to client ${session.clientId}`;
  return `${PACKET_KINDS[type]!}${numbers} ${way}, session ${session.number} (${place})`;
}

/** What became of it. */
export function endingLines(packet: CapturedPacket): string[] {
  const { ending, endedAt, sentAt, copiesAt, corrupted } = packet;
  const lines: string[] = [];
  if (corrupted) lines.push('damaged on the way: what arrived has other bytes');
  if (ending === 'unknown') lines.push('still under way when the capture ended');
  else if (ending === 'delivered') lines.push(`arrived after ${millis(endedAt - sentAt)} ms`);
  else lines.push(`${LOSS_WORDS[ending]!} (after ${millis(endedAt - sentAt)} ms)`);
  for (const copyAt of copiesAt) lines.push(`arrived once more after ${millis(copyAt - sentAt)} ms`);
  return lines;
}

/** A frame in a few words; nothing for an ack, which is told in whole numbers, and for padding. */
export function frameText({ row, fields, items, lengthBytes, type }: Frame, nameOf: ChannelName): string {
  const { channel, firstId, firstTick, id, key, size, index, first, count } = fields as { [name: string]: number };
  const name = channel === undefined ? '' : nameOf(channel);
  switch (row.name) {
    case 'ack':
    case 'padding':
      return '';
    case 'input':
      return `${name} ticks ${rangeText(firstTick!, firstTick! + items.length - 1)}`;
    case 'messages':
      return `${name} ${rangeText(firstId!, firstId! + items.length - 1)} (${sizesText(items)})`;
    case 'plain':
      return `${items.length === 1 ? name : `${items.length} of ${name}`} (${sizesText(items)})`;
    case 'keyed':
      return items.map((one) => `${name} ${one.id} of key ${one.key}`).join(', ');
    case 'fragment':
      return `${name} ${id} piece ${index} (of ${size} bytes)`;
    case 'keyed fragment':
      return `${name} ${id} of key ${key} piece ${index} (of ${size} bytes)`;
    case 'skip':
      return `skip of ${name} ${rangeText(first!, first! + count! - 1)}`;
    case 'extension':
      return `extension ${type} of ${lengthBytes} bytes`;
    case 'ids':
      return `${items.length} connection ids`;
    default:
      return row.name;
  }
}

/** `5 to 9, 12`. */
export function rangesText(ranges: readonly NumberRange[]): string {
  return ranges.map(({ first, last }) => rangeText(first, last)).join(', ');
}

function rangeText(first: number, last: number): string {
  return first === last ? `${first}` : `${first} to ${last}`;
}

function sizesText(items: readonly FieldValues[]): string {
  return `${items.map((item) => (item.bytes as Uint8Array).length).join(', ')} bytes`;
}

function repetitionsText(repeats: readonly Repetition[]): string {
  return repeats
    .map(({ what, packet, lost }) => `${what} of packet ${packet}${lost ? ', which was lost' : ''}`)
    .join('; ');
}

function millis(micros: number): string {
  return (micros / 1000).toFixed(3);
}

function shortened(text: string): string {
  return text.length <= CHARACTERS_MAX ? text : `${text.slice(0, CHARACTERS_MAX)} ...`;
}
