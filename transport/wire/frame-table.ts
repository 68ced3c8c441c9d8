/**
 * PROTOCOL.md, section 2, as data: every frame with its fields, in the order of the wire. For tools that show packets: a
 * dissector is generated from it, captures read payloads by it. The product reads frames with `frame-reader.ts` and its
 * parts; a test holds this table against the golden vectors that they are held against.
 */

import {
  ACK_GAPS_MAX,
  FRAME_ACK,
  FRAME_EXTENSION,
  FRAME_FRAGMENT,
  FRAME_HELLO,
  FRAME_IDS,
  FRAME_INPUT,
  FRAME_KEYED,
  FRAME_KEYED_FRAGMENT,
  FRAME_MESSAGES,
  FRAME_PADDING,
  FRAME_PING,
  FRAME_PLAIN,
  FRAME_SKIP,
  FRAME_TIME,
  MESSAGES_MAX,
} from './frame-types.ts';

/**
 * How a field lies on the wire. Numbers are little-endian; `varint` is 1 to 4 bytes (varint.ts). Bytes: `id` 8 of them;
 * `sized` a varint of their length, then they; `long` a u16 of their length, then they; `piece` what fields `size` and
 * `index` before it say (`pieceBytes`).
 */
export type FieldForm = 'u8' | 'u16' | 'u32' | 'u48' | 'varint' | 'id' | 'sized' | 'long' | 'piece';

export interface FrameField {
  readonly name: string;
  readonly form: FieldForm;
  readonly meaning: string;
}

/** Fields that repeat, behind the others. */
export interface FrameItems {
  readonly name: string;
  /** How often: the type less the frame's first type, plus `more`; or the value of the field `count`. */
  readonly count: { readonly more: 0 | 1 } | { readonly field: string };
  readonly fields: readonly FrameField[];
}

export interface FrameRow {
  readonly name: string;
  /** Types, from first to last. */
  readonly first: number;
  readonly last: number;
  readonly meaning: string;
  readonly fields: readonly FrameField[];
  readonly items?: FrameItems;
}

const channel: FrameField = { name: 'channel', form: 'u8', meaning: "place among the channels' names in order" };
const id: FrameField = { name: 'id', form: 'u16', meaning: "low 16 bits of the channel's counter of messages" };
const firstId: FrameField = { name: 'firstId', form: 'u16', meaning: 'id of the first message; the others follow' };
const key: FrameField = { name: 'key', form: 'varint', meaning: 'which value of the channel' };
const size: FrameField = { name: 'size', form: 'varint', meaning: 'bytes of the whole message' };
const index: FrameField = { name: 'index', form: 'varint', meaning: 'which piece of the message' };
const piece: FrameField = { name: 'bytes', form: 'piece', meaning: 'the piece' };
const bytes: FrameField = { name: 'bytes', form: 'sized', meaning: 'the message' };
const run = 'numbers directly below that came too';
const LAST_OF_MESSAGES = MESSAGES_MAX - 1;

/** `count` types from `first` on, whose number of messages is the type less `first`, plus one. */
function messages(name: string, first: number, meaning: string, fields: FrameField[], each: FrameField[]): FrameRow {
  const items: FrameItems = { name: 'messages', count: { more: 1 }, fields: each };
  return { name, first, last: first + LAST_OF_MESSAGES, meaning, fields, items };
}

function single(name: string, type: number, meaning: string, fields: readonly FrameField[]): FrameRow {
  return { name, first: type, last: type, meaning, fields };
}

/** Every frame, by rising type. What no row covers does not exist. */
export const FRAMES: readonly FrameRow[] = [
  single('padding', FRAME_PADDING, 'ignored', []),
  single('ping', FRAME_PING, 'asks for an ack', []),
  single('time', FRAME_TIME, "the sender's clock", [
    { name: 'clock', form: 'u48', meaning: "the sender's clock in microseconds, modulo 2^48" },
  ]),
  {
    ...single('ids', FRAME_IDS, 'connection ids for rebinding', [
      { name: 'count', form: 'u8', meaning: 'connection ids that follow' },
    ]),
    items: {
      name: 'ids',
      count: { field: 'count' },
      fields: [{ name: 'id', form: 'id', meaning: 'connection id' }],
    },
  },
  single('hello', FRAME_HELLO, 'what I am', [
    { name: 'version', form: 'u8', meaning: 'version of the protocol' },
    { name: 'channels', form: 'u32', meaning: 'hash of the channel table' },
    { name: 'window', form: 'u32', meaning: 'bytes of reliable fragments that the sender holds' },
    { name: 'session', form: 'u32', meaning: "number of the sender's state" },
  ]),
  single('skip', FRAME_SKIP, 'will not come', [
    channel,
    { name: 'first', form: 'u16', meaning: 'low 16 bits of the first id given up' },
    { name: 'count', form: 'varint', meaning: 'ids given up' },
  ]),
  {
    name: 'ack',
    first: FRAME_ACK,
    last: FRAME_ACK + ACK_GAPS_MAX,
    meaning: 'packets that came',
    fields: [
      { name: 'newest', form: 'u16', meaning: 'low 16 bits of the newest packet number that came' },
      { name: 'delay', form: 'u16', meaning: 'from its arrival to this ack, in 8 us; 65535: unknown' },
      { name: 'run', form: 'varint', meaning: run },
    ],
    items: {
      name: 'more',
      count: { more: 0 },
      fields: [
        { name: 'gap', form: 'varint', meaning: 'numbers below that did not come, less one' },
        { name: 'run', form: 'varint', meaning: `${run}, less one` },
      ],
    },
  },
  messages(
    'input',
    FRAME_INPUT,
    'ticks of input, the oldest first',
    [channel, { name: 'firstTick', form: 'u32', meaning: 'tick of the first; the others follow' }],
    [bytes],
  ),
  messages('messages', FRAME_MESSAGES, 'messages with consecutive ids', [channel, firstId], [bytes]),
  messages('plain', FRAME_PLAIN, 'messages without ids', [channel], [bytes]),
  messages('keyed', FRAME_KEYED, 'values of keys', [channel], [id, key, bytes]),
  single('fragment', FRAME_FRAGMENT, 'piece of a message', [channel, id, size, index, piece]),
  single('keyed fragment', FRAME_KEYED_FRAGMENT, 'piece of a value', [channel, id, key, size, index, piece]),
  {
    name: 'extension',
    first: FRAME_EXTENSION,
    last: 0xff,
    meaning: 'skipped by who does not know it',
    fields: [{ name: 'bytes', form: 'long', meaning: 'bytes of the extension' }],
  },
];

/** Row of each type; null where the type does not exist. */
export const FRAME_BY_TYPE: readonly (FrameRow | null)[] = Array.from(
  { length: 256 },
  (_, type) => FRAMES.find(({ first, last }) => type >= first && type <= last) ?? null,
);
