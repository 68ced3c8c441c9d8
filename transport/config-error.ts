/** The user's mistakes when something is set up: which option, and what to write instead. */

/** An option is wrong. `field` names it, the message says what to do. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly field: string;

  constructor(field: string, remedy: string) {
    super(`option '${field}': ${remedy}`);
    this.field = field;
  }
}

/** Throws ConfigError unless `value` is a whole number from `min` to `max`. Returns it. */
export function checkWhole(field: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new ConfigError(field, `${value} is not a whole number from ${min} to ${max}`);
  }
  return value;
}

/** Throws ConfigError unless `bytes` is a Uint8Array of exactly `length` bytes. Returns it. */
export function checkBytes(field: string, bytes: Uint8Array, length: number): Uint8Array {
  if (!(bytes instanceof Uint8Array) || bytes.length !== length) {
    const given = bytes instanceof Uint8Array ? `${bytes.length} bytes` : typeof bytes;
    throw new ConfigError(field, `give a Uint8Array of ${length} bytes, not ${given}`);
  }
  return bytes;
}

const U64_MAX = (1n << 64n) - 1n;

/** Throws ConfigError unless `value` is a bigint from 0 to 2^64 - 1. Returns it. */
export function checkU64(field: string, value: bigint): bigint {
  if (typeof value !== 'bigint' || value < 0n || value > U64_MAX) {
    throw new ConfigError(field, `${value} is not a bigint from 0n to 2n ** 64n - 1n`);
  }
  return value;
}
