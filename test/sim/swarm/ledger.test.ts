import { expect, test } from 'vitest';
import type { Kind } from '../../../engine/channels.ts';
import { fillMessage } from '../../../sim/swarm/contents.ts';
import { Ledger } from '../../../sim/swarm/ledger.ts';

/** What a ledger complains of when its connection ends, and of three messages none arrived, but receipts came for some. */
function complaintsOf(kind: Kind, delivered: readonly number[], settled = false): string[] {
  const complaints: string[] = [];
  const ledger = new Ledger('chat', kind, 0, 'here', (text) => void complaints.push(text));
  for (let i = 0; i < 3; i++) ledger.queued(20, 0, true, true);
  for (let i = 0; i < 3; i++) ledger.receipt(i, delivered.includes(i) ? 'delivered' : 'lost');
  ledger.close(settled);
  return complaints;
}

test('what waits behind a hole of an ordered channel may be delivered and never handed over', () => {
  expect(complaintsOf('reliableOrdered', [1, 2])).toEqual([]);
});

test('the first message of an ordered channel that is delivered is handed over, also when the connection ends', () => {
  expect(complaintsOf('reliableOrdered', [0])).toEqual([
    "here chat: message 0 has the receipt 'delivered' and did not arrive",
  ]);
});

test('no hole excuses a message of another kind, nor one of a connection that lived until nothing was under way', () => {
  expect(complaintsOf('reliableUnordered', [2])).toHaveLength(1);
  expect(complaintsOf('reliableOrdered', [2], true)).toHaveLength(1);
});

test('a direction is complete once all that must arrive has, of newest-wins kinds the last one of each key, and receipts', () => {
  const silent = (): undefined => undefined;
  const arrives = (ledger: Ledger, number: number): void => {
    const bytes = new Uint8Array(20);
    fillMessage(bytes, 0, number);
    ledger.take(bytes, undefined);
  };
  const ordered = new Ledger('chat', 'reliableOrdered', 0, 'here', silent);
  ordered.queued(20, 0, false, true);
  ordered.queued(20, 0, true, false);
  expect(ordered.isComplete).toBe(false);
  arrives(ordered, 0);
  expect(ordered.isComplete).toBe(false);
  ordered.receipt(0, 'delivered');
  expect(ordered.isComplete).toBe(true);

  const door = new Ledger('door', 'latestState', 0, 'here', silent);
  for (const key of [5, 2, 5]) door.queued(20, key, false, false);
  arrives(door, 1);
  expect(door.isComplete).toBe(false);
  arrives(door, 2);
  expect(door.isComplete).toBe(true);
});
