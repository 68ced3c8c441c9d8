import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type FieldValues, type Frame, readPayload } from '../../../sim/capture/frames.ts';
import { FRAME_BY_TYPE, FRAMES } from '../../../transport/wire/frame-table.ts';

interface Vectors {
  readonly cases: {
    group: string;
    name: string;
    steps: { hex: string; frames: Record<string, unknown>[]; answer: string }[];
  }[];
  readonly acks: { name: string; hex: string; frame: Record<string, unknown> | null }[];
}

const vectors = JSON.parse(readFileSync(new URL('../../vectors/transport-1.json', import.meta.url), 'utf8')) as Vectors;

const read = (hex: string) => readPayload(Uint8Array.from(Buffer.from(hex, 'hex')));

/** The frame as the vectors tell it. */
function told(frame: Frame): Record<string, unknown> {
  const { row, type, fields, items } = frame;
  const told: Record<string, unknown> = { type: row.name, ...plain(fields) };
  if (row.name === 'extension') told.number = type;
  if (row.items === undefined) return told;
  if ('field' in row.items.count) delete told[row.items.count.field]; // the list says it
  const alone = row.items.fields.length === 1 ? row.items.fields[0]!.name : null;
  told[row.items.name] = items.map((item) => (alone === null ? plain(item) : plain(item)[alone]));
  return told;
}

function plain(values: FieldValues): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'number' ? value : Buffer.from(value).toString('hex'),
    ]),
  );
}

describe('the table of frames', () => {
  test.each(vectors.cases.map((one) => [one.group, one.name, one.steps] as const))(
    'reads the golden vectors as the codec does: %s, %s',
    (_, __, steps) => {
      for (const { hex, frames, answer } of steps) {
        const payload = read(hex);
        if (answer === 'malformed') {
          // What the codec refuses, in its last frame, may have its form; no frame before that differs.
          const before = Math.max(0, frames.length - 1);
          expect(payload.frames.slice(0, before).map(told)).toEqual(frames.slice(0, before));
          continue;
        }
        expect(payload.frames.map(told)).toEqual(frames);
        expect(payload.whole).toBe(true);
      }
    },
  );

  test.each(vectors.acks.map((one) => [one.name, one] as const))('reads acks as the codec does: %s', (_, ack) => {
    const payload = read(ack.hex);
    expect(payload.frames.map(told)).toEqual(ack.frame === null ? [] : [ack.frame]);
    expect(payload.whole).toBe(ack.frame !== null);
  });

  test('notices what is cut off and types that do not exist', () => {
    const broken = vectors.cases.filter(({ name }) => /cut off|does not exist|more than 4 bytes/.test(name));
    expect(broken.length).toBeGreaterThan(12);
    for (const { steps } of broken) expect(steps.some(({ hex }) => !read(hex).whole)).toBe(true);
  });

  test('tells where each frame lies', () => {
    const { frames } = read('0100124802ff00ff0102000301030102000461');
    let at = 0;
    for (const frame of frames) {
      expect(frame.at).toBe(at);
      at += frame.lengthBytes;
    }
  });

  test('covers each type once', () => {
    for (let type = 0; type < 256; type++) {
      expect(FRAMES.filter(({ first, last }) => type >= first && type <= last).length).toBe(
        FRAME_BY_TYPE[type] === null ? 0 : 1,
      );
    }
  });
});
