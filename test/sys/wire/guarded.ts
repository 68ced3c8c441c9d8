/** Bytes that notice when a header reads or writes beside its range. */

/** `bytes` in a fence: touching an index outside `from .. to` throws. */
export function guarded(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const touch = (key: string | symbol, verb: string): void => {
    if (typeof key === 'string' && /^-?\d+$/.test(key) && (Number(key) < from || Number(key) >= to))
      throw new RangeError(`${verb} byte ${key}, outside ${from} .. ${to}`);
  };
  return new Proxy(bytes, {
    get(target, key) {
      touch(key, 'reads');
      const value = Reflect.get(target, key, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
    set(target, key, value) {
      touch(key, 'writes');
      return Reflect.set(target, key, value, target);
    },
  });
}

/** The bytes of hex digits; white space is for the reader. */
export function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replace(/\s+/g, ''), 'hex'));
}
