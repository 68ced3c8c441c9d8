/**
 * XChaCha20 over a library that has only ChaCha20 (draft-irtf-cfrg-xchacha-03): connect tokens carry 24-byte nonces.
 *
 * HChaCha20 runs the ChaCha20 rounds over (constants, key, 16 nonce bytes) and returns words 0-3 and 12-15 of the state
 * *before* the initial state is added. A ChaCha20 keystream block of the same state is that *after* the addition, so the
 * library does the rounds and a subtraction gives the subkey; no rounds are written here.
 */

/** Bytes of XChaCha20's nonce: 16 derive the subkey, 8 go on into ChaCha20's nonce after four zero bytes. */
export const XNONCE_BYTES = 24;
/** Bytes of the nonce that HChaCha20 takes: its block counter and nonce words. */
export const HNONCE_BYTES = 16;
/** Bytes of RFC 8439's nonce. */
export const NONCE_BYTES = 12;
/** Bytes of a Poly1305 tag. */
export const TAG_BYTES = 16;
/** Bytes of a ChaCha20 keystream block. */
export const BLOCK_BYTES = 64;

// "expand 32-byte k", little-endian (RFC 8439 2.3)
const CONSTANTS: Int32Array = Int32Array.of(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574);

/**
 * Writes the 32-byte subkey to `out[outAt ..]`.
 *
 * @param block keystream block at `blockAt` (64 bytes) whose counter and nonce were the 16 nonce bytes
 * @param nonce the 24-byte nonce; its first 16 bytes are used
 */
export function subkeyFromBlock(
  block: DataView,
  blockAt: number,
  nonce: Uint8Array,
  out: DataView,
  outAt: number,
): void {
  for (let word = 0; word < 4; word++) {
    const at = word * 4;
    const counterAndNonce = nonce[at]! | (nonce[at + 1]! << 8) | (nonce[at + 2]! << 16) | (nonce[at + 3]! << 24);
    out.setInt32(outAt + at, (block.getInt32(blockAt + at, true) - CONSTANTS[word]!) | 0, true);
    out.setInt32(outAt + 16 + at, (block.getInt32(blockAt + 48 + at, true) - counterAndNonce) | 0, true);
  }
}
