/**
 * The one door to koffi: C functions of this process (libc, and the OpenSSL that Node carries), errno, and views of
 * native memory.
 *
 * koffi is loaded by the first call of `library()`, never by an import, and a machine where it cannot load gets `null`
 * and goes on without it (node:dgram, node:crypto).
 */

import { createRequire } from 'node:module';

/** C types of arguments and results. `uintptr_t` is the fastest way to pass an address (29 ns a call with small ints). */
export type CType =
  | 'void'
  | 'int'
  | 'unsigned int'
  | 'uint64_t'
  | 'int64_t'
  /** An address. A result above 2^53 (such as MAP_FAILED) comes as a BigInt. */
  | 'uintptr_t'
  /** A typed array, lent for the length of the call; or null. */
  | 'void *'
  /** A JavaScript string, lent as zero-terminated UTF-8 for the length of the call; or null. */
  | 'str';

/** What one argument of a C function takes. */
export type CValue = number | bigint | string | ArrayBufferView | null;

/** A C function. Numbers in and out; each call costs 20 to 40 ns over that of C. */
export type CFunction = (...args: CValue[]) => number;

/** Tells Node's loop to call back while a descriptor is readable. */
export interface DescriptorWatch {
  /** Ends it. */
  close(): void;
}

/** C functions and native memory of this process. */
export interface Library {
  /** The C function `name`, linked for these types; null where the process does not have it. Tens of microseconds: keep it. */
  symbol<F extends CFunction | ((...args: never[]) => number) = CFunction>(
    name: string,
    result: CType,
    args: readonly CType[],
  ): F | null;
  /** errno of the last call on this thread. Ask at once after a failure: any JavaScript may change it. 20 ns. */
  errno(): number;
  /**
   * A view of `bytes` bytes of native memory, without a copy. It does not keep the memory: reading it after munmap
   * ends the process. About 1 us.
   */
  view(address: number, bytes: number): ArrayBuffer;
  /** Calls `wake` from Node's loop while `descriptor` is readable, not from within itself, and keeps the process alive until closed. */
  watchReadable(descriptor: number, wake: () => void): DescriptorWatch;
  /** koffi's version. */
  readonly version: string;
}

let opened: Library | null | undefined;
let failure = '';

/** The library of this thread, or null where koffi cannot load (`libraryFailure()` says why). */
export function library(): Library | null {
  if (opened === undefined) opened = open();
  return opened;
}

/** Why `library()` is null, in one line; '' while it is not. */
export function libraryFailure(): string {
  return failure;
}

function open(): Library | null {
  let koffi: typeof import('koffi');
  let loaded: readonly import('koffi').LibraryHandle[];
  try {
    koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    loaded = librariesOf(process.platform).map((name) => koffi.load(name));
  } catch (error) {
    // Not an error of ours: no prebuilt koffi for this platform, or a sandbox that forbids native addons.
    failure = String(error instanceof Error ? error.message : error).split('\n', 1)[0]!;
    return null;
  }
  return {
    symbol<F>(name: string, result: CType, args: readonly CType[]): F | null {
      for (const each of loaded) {
        try {
          return each.func(name, result, [...args]) as unknown as F;
        } catch (error) {
          if (!(error instanceof Error && error.message.startsWith('Cannot find function'))) throw error;
        }
      }
      return null;
    },
    errno: () => koffi.errno(),
    view: (address, bytes) => koffi.view(address, bytes),
    watchReadable(descriptor, wake) {
      let inside = false;
      const handle = koffi.node.poll(descriptor, { readable: true }, () => {
        if (inside) return;
        inside = true;
        try {
          wake();
        } finally {
          inside = false;
        }
      });
      return {
        close() {
          handle.stop();
          handle.close();
        },
      };
    },
    version: koffi.version,
  };
}

/**
 * Where symbols are looked for. null: the running program, which on Linux, macOS and BSD exports libc, and Node's OpenSSL
 * everywhere.
 */
function librariesOf(platform: NodeJS.Platform): readonly (string | null)[] {
  if (platform === 'win32') return [null, 'kernel32.dll', 'ws2_32.dll', 'winmm.dll'];
  // kqueue(2) on Linux, to try sys/bsd where there is no BSD.
  const kqueue = process.env.TICKWIRE_KQUEUE_LIB;
  return platform === 'linux' && kqueue ? [null, kqueue] : [null];
}
