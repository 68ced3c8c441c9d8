import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DatagramBatch } from '../../../sys/api.ts';
import { CELL_BYTES, cellBytesFor, SendQueue } from '../../../transport/channel/send-queue.ts';

const ROOM = 1200;

function put(queue: SendQueue, bytes: number[], ...connections: number[]): string[] {
  const cell = queue.acquire();
  if (cell < 0) return ['no cell'];
  queue.arena.set(bytes, queue.offsetOf(cell));
  queue.setLength(cell, bytes.length);
  const results = connections.map((connection) => queue.enqueue(connection, cell));
  queue.release(cell);
  return results;
}

function pack(queue: SendQueue, connection: number, room = ROOM): number[] {
  return [...queue.arena.subarray(0, queue.pack(connection, 0, room))];
}

function queueOf(options: { connections: number; backlogMax: number; cellsMax: number }): SendQueue {
  return new SendQueue(options, DatagramBatch.allocate(1, ROOM, {}, cellBytesFor(options.cellsMax)));
}

describe('SendQueue', () => {
  it('packs what waits for a connection in the order in which it came', () => {
    const queue = queueOf({ connections: 2, backlogMax: 8, cellsMax: 8 });
    put(queue, [1, 2, 3], 0);
    put(queue, [9], 1);
    put(queue, [4], 0);
    expect(pack(queue, 0)).toEqual([1, 2, 3, 4]);
    expect(pack(queue, 1)).toEqual([9]);
    expect(pack(queue, 0)).toEqual([]);
  });

  it('never splits a frame: what does not fit waits for the next packet', () => {
    const queue = queueOf({ connections: 1, backlogMax: 8, cellsMax: 8 });
    const big = new Array<number>(700).fill(5);
    put(queue, big, 0);
    put(queue, big, 0);
    expect(pack(queue, 0)).toHaveLength(700);
    expect(queue.waiting(0)).toBe(1);
    expect(pack(queue, 0)).toHaveLength(700);
  });

  it('keeps one copy of a broadcast until the last peer has it', () => {
    const queue = queueOf({ connections: 3, backlogMax: 8, cellsMax: 1 });
    put(queue, [7], 0, 1, 2);
    expect(put(queue, [8], 0)).toEqual(['no cell']);
    expect([pack(queue, 0), pack(queue, 1)]).toEqual([[7], [7]]);
    expect(put(queue, [8], 0)).toEqual(['no cell']);
    expect(pack(queue, 2)).toEqual([7]);
    expect(put(queue, [8], 0)).toEqual(['queued']);
  });

  it('answers backlog-full for the slow peer only', () => {
    const queue = queueOf({ connections: 2, backlogMax: 2, cellsMax: 8 });
    put(queue, [1], 0);
    put(queue, [2], 0);
    expect(put(queue, [3], 0, 1)).toEqual(['backlog-full', 'queued']);
    expect(pack(queue, 0)).toEqual([1, 2]);
  });

  it('lets connections take turns', () => {
    const queue = queueOf({ connections: 4, backlogMax: 8, cellsMax: 8 });
    put(queue, [1], 3, 1);
    put(queue, [2], 3);
    expect(queue.readyCount).toBe(2);
    expect(queue.takeReady()).toBe(3);
    queue.putBack(3);
    expect([queue.takeReady(), queue.takeReady(), queue.readyCount]).toEqual([1, 3, 0]);
  });

  it('forgets what waits for a connection that left, without touching the others', () => {
    const queue = queueOf({ connections: 2, backlogMax: 8, cellsMax: 2 });
    put(queue, [1], 0, 1);
    put(queue, [2], 0);
    queue.clear(0);
    expect([pack(queue, 0), pack(queue, 1)]).toEqual([[], [1]]);
    expect([put(queue, [3], 0), put(queue, [4], 0)]).toEqual([['queued'], ['queued']]);
  });

  it('gives back the same bytes as a plain list would, whatever the sizes and the order of calls', () => {
    const step = fc.oneof(
      fc.record({ put: fc.integer({ min: 1, max: CELL_BYTES - 16 }), to: fc.nat(2) }),
      fc.record({ pack: fc.nat(2) }),
      fc.record({ clear: fc.nat(2) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = queueOf({ connections: 3, backlogMax: 10, cellsMax: 16 });
        const model: number[][][] = [[], [], []];
        let mark = 0;
        for (const s of steps) {
          if ('put' in s) {
            const bytes = new Array<number>(s.put).fill(++mark & 0xff);
            const [result] = put(queue, bytes, s.to);
            if (result === 'queued') model[s.to]!.push(bytes);
            expect(result === 'backlog-full').toBe(result !== 'no cell' && result !== 'queued');
          } else if ('pack' in s) {
            const list = model[s.pack]!;
            const expected: number[] = [];
            while (list.length > 0 && expected.length + list[0]!.length <= ROOM) expected.push(...list.shift()!);
            expect(pack(queue, s.pack)).toEqual(expected);
          } else {
            model[s.clear] = [];
            queue.clear(s.clear);
          }
          expect(model.map((list) => list.length)).toEqual([0, 1, 2].map((c) => queue.waiting(c)));
        }
      }),
    );
  });
});
