/** A thread that does without some of its rights for a while (capset(2)), and a process that may lock little memory. */

import { execFileSync } from 'node:child_process';
import { NativeArena } from '../../../sys/ffi/arena.ts';
import { library } from '../../../sys/ffi/library.ts';
import { must } from '../../../sys/ffi/syscall.ts';

/** capabilities(7). */
export const CAP_NET_ADMIN = 12;
export const CAP_NET_RAW = 13;
export const CAP_IPC_LOCK = 14;

const CAPABILITY_VERSION_3 = 0x20080522; // linux/capability.h
/** Words of `struct __user_cap_data_struct`, twice, behind the header of two words: effective, permitted, inheritable. */
const DATA_AT_BYTES = 16;
const EFFECTIVE_WORDS: readonly number[] = [DATA_AT_BYTES / 4, DATA_AT_BYTES / 4 + 3];

/** Runs `work` without the rights named; they stay permitted, and are in effect again after it. `work` must not await. */
export function withoutRights<T>(rights: readonly number[], work: () => T): T {
  const call = (name: string) => library()!.symbol(name, 'int', ['uintptr_t', 'uintptr_t'])!;
  const [capget, capset] = [call('capget'), call('capset')];
  const arena = NativeArena.map(64);
  arena.u32[0] = CAPABILITY_VERSION_3;
  const data = arena.address + DATA_AT_BYTES;
  must('capget', () => capget(arena.address, data));
  const before = EFFECTIVE_WORDS.map((word) => arena.u32[word]!);
  for (const right of rights) arena.u32[EFFECTIVE_WORDS[right >> 5]!]! &= ~(1 << (right & 31));
  must('capset', () => capset(arena.address, data));
  try {
    return work();
  } finally {
    for (const [i, word] of EFFECTIVE_WORDS.entries()) arena.u32[word] = before[i]!;
    must('capset', () => capset(arena.address, data));
  }
}

/** Runs `work` in a process that may lock `bytes` of memory, and has no right to more. `work` must not await. */
export function withMemlock<T>(bytes: number, work: () => T): T {
  const limit = (soft: string) =>
    execFileSync('prlimit', ['--pid', `${process.pid}`, `--memlock=${soft}:`], { stdio: 'pipe' });
  const before = execFileSync(
    'prlimit',
    ['--pid', `${process.pid}`, '--memlock', '--raw', '--noheadings', '-o', 'SOFT'],
    {
      encoding: 'utf8',
    },
  ).trim();
  limit(`${bytes}`);
  try {
    return withoutRights([CAP_IPC_LOCK], work);
  } finally {
    limit(before);
  }
}
