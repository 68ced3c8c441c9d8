/** The layouts of sys/windows/abi.ts: a table of what 64-bit Windows has, and the MinGW compiler where there is one. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as abi from '../../../sys/windows/abi.ts';
import { WSA_IO_PENDING, WSAEMSGSIZE, WSAENOBUFS, WSAEWOULDBLOCK } from '../../../sys/windows/errors.ts';
import { WINDOWS_FORM } from '../../../sys/windows/sockaddr-form.ts';

const MINGW = 'x86_64-w64-mingw32-gcc';
const compiles = process.platform === 'linux' && spawnSync(MINGW, ['--version']).status === 0;
const why = compiles ? '' : ` (skipped: needs ${MINGW})`;

/** C name, our layout, its size, and each member: its name in C and its offset. */
const STRUCTS: readonly [string, { readonly SIZE: number }, number, Record<string, readonly [string, number]>][] = [
  [
    'OVERLAPPED',
    abi.Overlapped,
    32,
    { status: ['Internal', 0], transferred: ['InternalHigh', 8], offset: ['Offset', 16], event: ['hEvent', 24] },
  ],
  [
    'OVERLAPPED_ENTRY',
    abi.OverlappedEntry,
    32,
    {
      key: ['lpCompletionKey', 0],
      overlapped: ['lpOverlapped', 8],
      status: ['Internal', 16],
      transferred: ['dwNumberOfBytesTransferred', 24],
    },
  ],
  ['WSABUF', abi.Wsabuf, 16, { bytes: ['len', 0], base: ['buf', 8] }],
];

/** Constants of ours, and the C expression that must have the same 32 bits. */
const CONSTANTS: readonly [number, string][] = [
  [abi.INVALID_HANDLE_VALUE, '(intptr_t)INVALID_HANDLE_VALUE'],
  [abi.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS, 'FILE_SKIP_COMPLETION_PORT_ON_SUCCESS'],
  [abi.FILE_SKIP_SET_EVENT_ON_HANDLE, 'FILE_SKIP_SET_EVENT_ON_HANDLE'],
  [abi.INFINITE, 'INFINITE'],
  [abi.STATUS_PENDING, 'STATUS_PENDING'],
  [abi.STATUS_BUFFER_OVERFLOW, '0x80000005'], // ntstatus.h, which does not go with windows.h
  [abi.SOCK_DGRAM, 'SOCK_DGRAM'],
  [abi.IPPROTO_IP, 'IPPROTO_IP'],
  [abi.IPPROTO_UDP, 'IPPROTO_UDP'],
  [abi.IPPROTO_IPV6, 'IPPROTO_IPV6'],
  [abi.WSA_FLAG_OVERLAPPED, 'WSA_FLAG_OVERLAPPED'],
  [abi.WSA_FLAG_NO_HANDLE_INHERIT, 'WSA_FLAG_NO_HANDLE_INHERIT'],
  [abi.SOL_SOCKET, 'SOL_SOCKET'],
  [abi.SO_EXCLUSIVEADDRUSE, 'SO_EXCLUSIVEADDRUSE'],
  [abi.SO_SNDBUF, 'SO_SNDBUF'],
  [abi.SO_RCVBUF, 'SO_RCVBUF'],
  [abi.IP_DONTFRAGMENT, 'IP_DONTFRAGMENT'],
  [abi.IPV6_DONTFRAG, 'IPV6_DONTFRAG'],
  [abi.IPV6_V6ONLY, 'IPV6_V6ONLY'],
  [abi.FIONBIO, 'FIONBIO'],
  [abi.SIO_UDP_CONNRESET, '_WSAIOW(IOC_VENDOR, 12)'],
  [abi.SIO_UDP_NETRESET, '_WSAIOW(IOC_VENDOR, 15)'],
  [WSAEWOULDBLOCK, 'WSAEWOULDBLOCK'],
  [WSAEMSGSIZE, 'WSAEMSGSIZE'],
  [WSAENOBUFS, 'WSAENOBUFS'],
  [WSA_IO_PENDING, 'WSA_IO_PENDING'],
  [WINDOWS_FORM.inet, 'AF_INET'],
  [WINDOWS_FORM.inet6, 'AF_INET6'],
  [28, 'sizeof(struct sockaddr_in6)'],
  [24, 'offsetof(struct sockaddr_in6, sin6_scope_id)'],
];

describe("Windows' structs", () => {
  it.each(STRUCTS)('%s has the size and the offsets of the header', (_name, layout, size, members) => {
    const offsets = layout as unknown as Record<string, number>;
    expect(layout.SIZE).toBe(size);
    expect(Object.keys(members).map((field) => `${field} ${offsets[field]}`)).toEqual(
      Object.entries(members).map(([field, [, offset]]) => `${field} ${offset}`),
    );
  });

  it.skipIf(!compiles)(`have the values that the compiler gives them${why}`, () => {
    const expressions = STRUCTS.flatMap(([name, layout, , members]) => [
      [layout.SIZE, `sizeof(${name})`] as const,
      ...Object.entries(members).map(
        ([field, [member]]) =>
          [(layout as unknown as Record<string, number>)[field]!, `offsetof(${name}, ${member})`] as const,
      ),
    ]);
    const all = [...expressions, ...CONSTANTS];
    const theirs = valuesInC(all.map(([, expression]) => expression));
    expect(all.map(([value, name]) => `${name} = ${value | 0}`)).toEqual(
      all.map(([, name], i) => `${name} = ${theirs[i]}`),
    );
  });
});

/** The low 32 bits of each expression, signed: read out of the object file's data, since nothing here runs it. */
function valuesInC(expressions: readonly string[]): number[] {
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-abi-'));
  try {
    writeFileSync(
      join(folder, 'abi.c'),
      `#define _WIN32_WINNT 0x0A00
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>
#include <stddef.h>
#include <stdint.h>
const int values[] = { ${expressions.map((e) => `(int)(${e})`).join(', ')} };
`,
    );
    execFileSync(MINGW, ['-c', '-o', join(folder, 'abi.o'), join(folder, 'abi.c')]);
    execFileSync('x86_64-w64-mingw32-objcopy', [
      '-O',
      'binary',
      '-j',
      '.rdata',
      join(folder, 'abi.o'),
      join(folder, 'abi.bin'),
    ]);
    const bytes = readFileSync(join(folder, 'abi.bin'));
    return expressions.map((_, i) => bytes.readInt32LE(i * 4));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
