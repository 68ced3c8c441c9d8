import { expect, test } from 'vitest';
import type { Kind } from '../../../engine/channels.ts';
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
