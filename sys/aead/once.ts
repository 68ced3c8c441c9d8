/** Limits of one-shot messages (tokens), the same for every provider. */

import { KEY_BYTES } from './key-table.ts';
import { NONCE_BYTES, TAG_BYTES, XNONCE_BYTES } from './xchacha.ts';

/** Largest one-shot message with its tag. A private connect token has 1,024 bytes, a challenge token 300. */
export const ONCE_BYTES_MAX = 2048;
/** Largest associated data of one. A connect token has 29 bytes. */
export const ONCE_ASSOCIATED_MAX = 256;

/** Checks a one-shot call; returns the bytes before the tag, negative when there is no room for a tag. */
export function checkOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): number {
  if (key.length !== KEY_BYTES) throw new RangeError(`a key has ${KEY_BYTES} bytes, not ${key.length}`);
  if (nonce.length !== NONCE_BYTES && nonce.length !== XNONCE_BYTES) {
    throw new RangeError(`a nonce has ${NONCE_BYTES} or ${XNONCE_BYTES} bytes, not ${nonce.length}`);
  }
  if (bytes.length > ONCE_BYTES_MAX)
    throw new RangeError(`a message of ${bytes.length} bytes exceeds ${ONCE_BYTES_MAX}`);
  if (associatedData.length > ONCE_ASSOCIATED_MAX) {
    throw new RangeError(`associated data of ${associatedData.length} bytes exceeds ${ONCE_ASSOCIATED_MAX}`);
  }
  return bytes.length - TAG_BYTES;
}
