import { describe, expect, it } from 'vitest';
import { UserData } from '../../../transport/netcode/user-data.ts';

const dataOf = (n: number): Uint8Array => new Uint8Array(256).fill(n);

describe('UserData', () => {
  it('keeps the bytes of each row apart, over pages, and a moved row has none', () => {
    const userData = new UserData(300);
    for (let row = 0; row < 200; row++) userData.put(row, dataOf(row));
    for (let row = 0; row < 100; row++) userData.move(row, 200 + row);
    for (let row = 100; row < 200; row++) expect(userData.copyOf(row)).toEqual(dataOf(row));
    for (let row = 0; row < 100; row++) {
      expect(userData.copyOf(200 + row)).toEqual(dataOf(row));
      expect(() => userData.copyOf(row)).toThrow('released');
    }
  });

  it('gives released memory to the next, and a row that is put to twice has one block', () => {
    const userData = new UserData(500);
    for (let row = 0; row < 500; row++) {
      userData.put(row, dataOf(1));
      userData.put(row, dataOf(row & 255));
      expect(userData.copyOf(row)).toEqual(dataOf(row & 255));
      userData.release(row);
      userData.release(row);
    }
    expect(userData.capacity).toBe(64);
  });
});
