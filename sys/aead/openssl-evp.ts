/**
 * The second AEAD provider: OpenSSL's public EVP interface through foreign calls, about twice the cost of the primitives.
 *
 * One encrypting and one decrypting context, given a new key and nonce for each packet: a context a key gains nothing
 * (the cost is EVP's own), and would keep thousands of key schedules outside the key table.
 */

import type { Aead, DatagramBatch } from '../api.ts';
import { SysError } from '../api.ts';
import { NativeArena } from '../ffi/arena.ts';
import { type CType, type Library, library, libraryFailure } from '../ffi/library.ts';
import { ASSOCIATED_BYTES, KeyTable, RECORD_ASSOCIATED, RECORD_BYTES, RECORD_PREFIX } from './key-table.ts';
import { checkRoom, checkSlot, copyBytes, nativeKeyMemory, sealedBytes, wholeBlocks } from './native-packet.ts';
import { checkOnce, ONCE_ASSOCIATED_MAX, ONCE_BYTES_MAX } from './once.ts';
import { BLOCK_BYTES, HNONCE_BYTES, NONCE_BYTES, subkeyFromBlock, TAG_BYTES, XNONCE_BYTES } from './xchacha.ts';

/**
 * A pointer to an OpenSSL object. Where it is no small integer it is a BigInt, made once: a number of that size would be
 * boxed anew at every call, a BigInt is passed as it is.
 */
type Handle = number | bigint;
type Init = (context: Handle, cipher: Handle, engine: number, key: number, nonce: number) => number;
type Update = (context: Handle, out: number, outLength: number, input: number, bytes: number) => number;
type Final = (context: Handle, out: number, outLength: number) => number;
type Control = (context: Handle, type: number, argument: number, pointer: number) => number;

/** The functions of openssl/evp.h, with the two ciphers. */
interface Evp {
  readonly newContext: () => number | bigint;
  readonly encryptInit: Init;
  readonly encryptUpdate: Update;
  readonly encryptFinal: Final;
  readonly decryptInit: Init;
  readonly decryptUpdate: Update;
  readonly decryptFinal: Final;
  readonly control: Control;
  readonly chachaPoly: Handle;
  readonly chacha: Handle;
}

const CTRL_GET_TAG = 0x10; // EVP_CTRL_AEAD_GET_TAG, openssl/evp.h
const CTRL_SET_TAG = 0x11; // EVP_CTRL_AEAD_SET_TAG
const NULL: Handle = 0;
const SMALL_MAX = 0x7fff_ffff;

// The provider's own arena. Fixed part first; then staging of one packet; then the plaintext of every slot.
const NONCE_AT = 0; // bytes 0 .. 4 stay zero
const ONCE_NONCE_AT = 16;
const OUT_LENGTH_AT = 32; // where EVP says how much it wrote
const FINAL_AT = 48; // what the final call may write: nothing, with a stream cipher
const SUBKEY_AT = 64;
const ONCE_KEY_AT = 96;
const BLOCK_AT = 128; // one keystream block
const ZEROS_AT = 192; // 64 zeros that stay zero
const ONCE_ASSOCIATED_AT = 256;
const ONCE_AT = ONCE_ASSOCIATED_AT + ONCE_ASSOCIATED_MAX;
const STAGING_AT = ONCE_AT + ONCE_BYTES_MAX;

export class OpensslEvpAead implements Aead {
  readonly name = 'openssl-evp';
  readonly plaintext: Uint8Array;
  readonly plaintextStrideBytes: number;
  readonly #evp: Evp;
  readonly #encrypter: Handle;
  readonly #decrypter: Handle;
  readonly #streamer: Handle;
  readonly #arena: NativeArena;
  readonly #address: number;
  readonly #keys = new KeyTable(nativeKeyMemory);
  readonly #slots: number;
  readonly #slotBytes: number;
  readonly #plaintextAt: number;

  /** @throws SysError ENOSYS where the functions are not exported or the cipher is missing (a FIPS build) */
  constructor(slots: number, slotBytes: number) {
    this.#evp = linkEvp();
    this.#slots = slots;
    this.#slotBytes = slotBytes;
    this.plaintextStrideBytes = wholeBlocks(slotBytes);
    this.#plaintextAt = STAGING_AT + wholeBlocks(slotBytes + TAG_BYTES);
    this.#arena = NativeArena.map(this.#plaintextAt + slots * this.plaintextStrideBytes);
    this.#address = this.#arena.address;
    this.plaintext = this.#arena.bytes.subarray(this.#plaintextAt);
    this.#encrypter = this.#newContext(this.#evp.encryptInit, this.#evp.chachaPoly);
    this.#decrypter = this.#newContext(this.#evp.decryptInit, this.#evp.chachaPoly);
    this.#streamer = this.#newContext(this.#evp.encryptInit, this.#evp.chacha);
  }

  load(key: Uint8Array, associatedData: Uint8Array): number {
    return this.#keys.load(key, associatedData);
  }

  free(keyId: number): void {
    this.#keys.free(keyId);
  }

  seal(
    batch: DatagramBatch,
    slot: number,
    keyId: number,
    prefix: number,
    sequenceLow: number,
    sequenceHigh: number,
  ): void {
    this.#keys.check(keyId);
    checkRoom(batch, slot, 0, TAG_BYTES);
    const offset = batch.offset[slot]!;
    const length = batch.length[slot]!;
    const record = this.#prepare(keyId, prefix, sequenceLow, sequenceHigh);
    const nonce = this.#address + NONCE_AT;
    const associated = record + RECORD_ASSOCIATED;
    if (batch.arenaAddress !== 0) {
      this.#encrypt(batch.arenaAddress + offset, length, record, nonce, associated, ASSOCIATED_BYTES + 1);
    } else {
      if (length > this.#slotBytes) throw new RangeError(`${length} bytes exceed the ${this.#slotBytes} of a slot`);
      copyBytes(batch.view, offset, this.#arena.view, STAGING_AT, length);
      this.#encrypt(this.#address + STAGING_AT, length, record, nonce, associated, ASSOCIATED_BYTES + 1);
      copyBytes(this.#arena.view, STAGING_AT, batch.view, offset, length + TAG_BYTES);
    }
    batch.length[slot] = length + TAG_BYTES;
  }

  open(
    batch: DatagramBatch,
    slot: number,
    headerBytes: number,
    keyId: number,
    prefix: number,
    sequenceLow: number,
    sequenceHigh: number,
  ): boolean {
    this.#keys.check(keyId);
    checkSlot(slot, this.#slots);
    checkRoom(batch, slot, 0, 0);
    const length = sealedBytes(batch, slot, headerBytes);
    if (length < 0 || length > this.#slotBytes) return false;
    const from = batch.offset[slot]! + headerBytes;
    let input = batch.arenaAddress + from;
    if (batch.arenaAddress === 0) {
      copyBytes(batch.view, from, this.#arena.view, STAGING_AT, length + TAG_BYTES);
      input = this.#address + STAGING_AT;
    }
    const record = this.#prepare(keyId, prefix, sequenceLow, sequenceHigh);
    const clear = this.#plaintextAt + slot * this.plaintextStrideBytes;
    const genuine = this.#decrypt(
      input,
      this.#address + clear,
      length,
      record,
      this.#address + NONCE_AT,
      record + RECORD_ASSOCIATED,
      ASSOCIATED_BYTES + 1,
    );
    if (!genuine) this.#arena.bytes.fill(0, clear, clear + length);
    return genuine;
  }

  /** Writes nonce and prefix of a packet; returns the address of its key's record. */
  #prepare(keyId: number, prefix: number, sequenceLow: number, sequenceHigh: number): number {
    this.#arena.i32[(NONCE_AT >> 2) + 1] = sequenceLow;
    this.#arena.i32[(NONCE_AT >> 2) + 2] = sequenceHigh;
    this.#keys.bytes[keyId * RECORD_BYTES + RECORD_PREFIX] = prefix;
    return this.#keys.address + keyId * RECORD_BYTES;
  }

  /** Encrypts `length` bytes at `data` in place and puts the tag behind them. All but `length` are addresses. */
  #encrypt(
    data: number,
    length: number,
    key: number,
    nonce: number,
    associated: number,
    associatedBytes: number,
  ): void {
    const evp = this.#evp;
    const context = this.#encrypter;
    const outLength = this.#address + OUT_LENGTH_AT;
    let ok = evp.encryptInit(context, NULL, 0, key, nonce);
    if (associatedBytes > 0) ok &= evp.encryptUpdate(context, 0, outLength, associated, associatedBytes);
    if (length > 0) ok &= evp.encryptUpdate(context, data, outLength, data, length);
    ok &= evp.encryptFinal(context, this.#address + FINAL_AT, outLength);
    ok &= evp.control(context, CTRL_GET_TAG, TAG_BYTES, data + length);
    // Sending what was not encrypted would be worse than stopping.
    if (ok !== 1) throw new SysError('EIO', 'EVP_EncryptUpdate', 'OpenSSL refused to encrypt');
  }

  /**
   * Decrypts `length` bytes at `input`, with their tag behind them, to `output`. False when the tag is wrong: EVP has
   * decrypted before it compared (in constant time), so the caller wipes the output.
   */
  #decrypt(
    input: number,
    output: number,
    length: number,
    key: number,
    nonce: number,
    associated: number,
    associatedBytes: number,
  ): boolean {
    const evp = this.#evp;
    const context = this.#decrypter;
    const outLength = this.#address + OUT_LENGTH_AT;
    let ok = evp.decryptInit(context, NULL, 0, key, nonce);
    ok &= evp.control(context, CTRL_SET_TAG, TAG_BYTES, input + length);
    if (associatedBytes > 0) ok &= evp.decryptUpdate(context, 0, outLength, associated, associatedBytes);
    if (length > 0) ok &= evp.decryptUpdate(context, output, outLength, input, length);
    if (ok !== 1) throw new SysError('EIO', 'EVP_DecryptUpdate', 'OpenSSL refused to decrypt');
    return evp.decryptFinal(context, this.#address + FINAL_AT, outLength) === 1;
  }

  sealOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): void {
    const length = checkOnce(key, nonce, associatedData, bytes);
    if (length < 0) throw new RangeError('sealOnce needs 16 bytes for the tag');
    this.#placeOnce(key, nonce, associatedData, bytes);
    const base = this.#address;
    const associated = base + ONCE_ASSOCIATED_AT;
    this.#encrypt(base + ONCE_AT, length, base + ONCE_KEY_AT, base + ONCE_NONCE_AT, associated, associatedData.length);
    bytes.set(this.#arena.bytes.subarray(ONCE_AT, ONCE_AT + bytes.length));
    this.#wipeOnce(bytes.length);
  }

  openOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): boolean {
    const length = checkOnce(key, nonce, associatedData, bytes);
    if (length < 0) return false;
    this.#placeOnce(key, nonce, associatedData, bytes);
    const base = this.#address;
    const data = base + ONCE_AT;
    const genuine = this.#decrypt(
      data,
      data,
      length,
      base + ONCE_KEY_AT,
      base + ONCE_NONCE_AT,
      base + ONCE_ASSOCIATED_AT,
      associatedData.length,
    );
    if (genuine) bytes.set(this.#arena.bytes.subarray(ONCE_AT, ONCE_AT + length));
    this.#wipeOnce(bytes.length);
    return genuine;
  }

  /** Copies a one-shot message, its associated data, key (or XChaCha20's subkey) and nonce to their places. */
  #placeOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): void {
    const own = this.#arena.bytes;
    own.set(associatedData, ONCE_ASSOCIATED_AT);
    own.set(bytes, ONCE_AT);
    own.set(key, ONCE_KEY_AT);
    if (nonce.length === NONCE_BYTES) {
      own.set(nonce, ONCE_NONCE_AT);
      return;
    }
    // OpenSSL's ChaCha20 takes 16 bytes, the block counter and the nonce: HChaCha20's 16 (see xchacha.ts).
    for (let i = 0; i < HNONCE_BYTES; i++) own[ONCE_NONCE_AT + i] = nonce[i]!;
    const base = this.#address;
    const evp = this.#evp;
    let ok = evp.encryptInit(this.#streamer, NULL, 0, base + ONCE_KEY_AT, base + ONCE_NONCE_AT);
    ok &= evp.encryptUpdate(this.#streamer, base + BLOCK_AT, base + OUT_LENGTH_AT, base + ZEROS_AT, BLOCK_BYTES);
    if (ok !== 1) throw new SysError('EIO', 'EVP_EncryptUpdate', 'OpenSSL refused ChaCha20');
    subkeyFromBlock(this.#arena.view, BLOCK_AT, nonce, this.#arena.view, SUBKEY_AT);
    own.copyWithin(ONCE_KEY_AT, SUBKEY_AT, SUBKEY_AT + 32);
    this.#arena.i32[ONCE_NONCE_AT >> 2] = 0;
    for (let i = HNONCE_BYTES; i < XNONCE_BYTES; i++) own[ONCE_NONCE_AT + 4 + i - HNONCE_BYTES] = nonce[i]!;
  }

  /** Tokens hold session keys: nothing of them stays in the scratch. */
  #wipeOnce(bytes: number): void {
    this.#arena.bytes.fill(0, ONCE_AT, ONCE_AT + bytes);
    this.#arena.bytes.fill(0, SUBKEY_AT, ZEROS_AT);
  }

  #newContext(init: Init, cipher: Handle): Handle {
    const context = handleOf(this.#evp.newContext());
    if (context === NULL) throw new SysError('ENOMEM', 'EVP_CIPHER_CTX_new', 'no memory for a cipher context');
    if (init(context, cipher, 0, 0, 0) !== 1) throw new SysError('ENOSYS', 'EVP_EncryptInit_ex', 'OpenSSL refused');
    freeCollected.register(this, context);
    return context;
  }
}

const freeCollected = new FinalizationRegistry<Handle>((context) => {
  library()?.symbol<(context: Handle) => number>('EVP_CIPHER_CTX_free', 'void', ['uintptr_t'])?.(context);
});

let linked: Evp | null = null;

function linkEvp(): Evp {
  if (linked !== null) return linked;
  const c = library();
  if (c === null) throw new SysError('ENOSYS', 'aead', `koffi cannot load here: ${libraryFailure()}`);
  const init: CType[] = ['uintptr_t', 'uintptr_t', 'uintptr_t', 'uintptr_t', 'uintptr_t'];
  const update: CType[] = ['uintptr_t', 'uintptr_t', 'uintptr_t', 'uintptr_t', 'int'];
  const final: CType[] = ['uintptr_t', 'uintptr_t', 'uintptr_t'];
  linked = {
    newContext: link(c, 'EVP_CIPHER_CTX_new', 'uintptr_t', []),
    encryptInit: link(c, 'EVP_EncryptInit_ex', 'int', init),
    encryptUpdate: link(c, 'EVP_EncryptUpdate', 'int', update),
    encryptFinal: link(c, 'EVP_EncryptFinal_ex', 'int', final),
    decryptInit: link(c, 'EVP_DecryptInit_ex', 'int', init),
    decryptUpdate: link(c, 'EVP_DecryptUpdate', 'int', update),
    decryptFinal: link(c, 'EVP_DecryptFinal_ex', 'int', final),
    control: link(c, 'EVP_CIPHER_CTX_ctrl', 'int', ['uintptr_t', 'int', 'int', 'uintptr_t']),
    chachaPoly: fetchCipher(c, 'ChaCha20-Poly1305'),
    chacha: fetchCipher(c, 'ChaCha20'),
  };
  return linked;
}

function handleOf(pointer: number | bigint): Handle {
  return pointer > SMALL_MAX ? BigInt(pointer) : Number(pointer);
}

function link<F extends (...args: never[]) => number | bigint>(
  c: Library,
  name: string,
  result: CType,
  args: readonly CType[],
): F {
  const found = c.symbol<never>(name, result, args);
  if (found === null) throw new SysError('ENOSYS', 'aead', `this Node does not export ${name}`);
  return found;
}

/** By name, not by EVP_chacha20_poly1305(): the Windows builds do not export that one. */
function fetchCipher(c: Library, name: string): Handle {
  type Fetch = (context: number, name: string, properties: null) => number | bigint;
  const fetch = link<Fetch>(c, 'EVP_CIPHER_fetch', 'uintptr_t', ['uintptr_t', 'str', 'str']);
  const cipher = handleOf(fetch(0, name, null));
  if (cipher === NULL) throw new SysError('ENOSYS', 'EVP_CIPHER_fetch', `OpenSSL offers no ${name} (a FIPS build?)`);
  return cipher;
}
