/**
 * Which AEAD provider this machine gets: the fastest that passes its self-test. Asked once a thread, answered by
 * `aeadReport()` too, which `doctor` prints.
 */

import { type Aead, DatagramBatch, SysError, slotStrideBytes } from '../api.ts';
import { NativeArena } from '../ffi/arena.ts';
import { NodeCryptoAead } from './node-crypto.ts';
import { OpensslEvpAead } from './openssl-evp.ts';
import { OpensslPrimitivesAead } from './openssl-primitives.ts';
import { SELF_TEST_SLOT_BYTES, SELF_TEST_SLOTS, selfTest } from './self-test.ts';

export type AeadName = 'openssl-primitives' | 'openssl-evp' | 'node-crypto';

/** What was found out about one provider. */
export interface AeadFinding {
  readonly name: AeadName;
  readonly ok: boolean;
  /** Why it is not used, in one line; '' when it could be. */
  readonly reason: string;
}

interface Provider {
  readonly name: AeadName;
  readonly native: boolean;
  create(slots: number, slotBytes: number): Aead;
}

/** Fastest first. */
const PROVIDERS: readonly Provider[] = [
  {
    name: 'openssl-primitives',
    native: true,
    create: (slots, slotBytes) => new OpensslPrimitivesAead(slots, slotBytes),
  },
  { name: 'openssl-evp', native: true, create: (slots, slotBytes) => new OpensslEvpAead(slots, slotBytes) },
  { name: 'node-crypto', native: false, create: (slots, slotBytes) => new NodeCryptoAead(slots, slotBytes) },
];

const findings = new Map<AeadName, AeadFinding>();

/**
 * An AEAD with room for the plaintext of `slots` datagrams of up to `slotBytes`.
 *
 * @param force takes this provider or none: for tests and measurements
 * @throws SysError ENOTSUP when no provider (or not the forced one) passes its self-test
 */
export function chooseAead(slots: number, slotBytes: number, force?: AeadName): Aead {
  const reasons: string[] = [];
  for (const provider of PROVIDERS) {
    if (force !== undefined && provider.name !== force) continue;
    const finding = find(provider);
    if (finding.ok) return provider.create(slots, slotBytes);
    reasons.push(`${provider.name}: ${finding.reason}`);
  }
  throw new SysError(
    'ENOTSUP',
    'aead',
    `no working ChaCha20-Poly1305 (${reasons.join('; ')}): use a Node from nodejs.org, without FIPS mode`,
  );
}

/** Every provider with the result of its self-test, fastest first: the first that is ok is in use. */
export function aeadReport(): readonly AeadFinding[] {
  return PROVIDERS.map(find);
}

function find(provider: Provider): AeadFinding {
  let finding = findings.get(provider.name);
  if (finding === undefined) {
    const reason = failureOf(provider);
    finding = { name: provider.name, ok: reason === null, reason: reason ?? '' };
    findings.set(provider.name, finding);
  }
  return finding;
}

function failureOf(provider: Provider): string | null {
  try {
    const aead = provider.create(SELF_TEST_SLOTS, SELF_TEST_SLOT_BYTES);
    return selfTest(aead, provider.native ? nativeBatch() : null);
  } catch (error) {
    // Missing functions, a refused cipher: anything that stops a provider is a reason not to use it, and is reported.
    return error instanceof Error ? error.message : String(error);
  }
}

/** A batch as `sys/linux` makes them, for the in-place paths. */
function nativeBatch(): DatagramBatch {
  const arena = NativeArena.map(SELF_TEST_SLOTS * slotStrideBytes(SELF_TEST_SLOT_BYTES));
  const batch = new DatagramBatch(arena.bytes, SELF_TEST_SLOTS, SELF_TEST_SLOT_BYTES);
  batch.arenaAddress = arena.address;
  return batch;
}
