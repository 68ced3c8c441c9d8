/** Threads and network namespaces (setns(2)). */

import { closeSync, openSync } from 'node:fs';
import { library } from '../../../sys/ffi/library.ts';
import { must } from '../../../sys/ffi/syscall.ts';

const CLONE_NEWNET = 0x4000_0000;

/**
 * Takes this thread into a namespace of `ip netns`: sockets that it opens from now on stay there for good. Returns the way
 * back, to be called once.
 */
export function enterNamespace(name: string): () => void {
  const setns = library()!.symbol('setns', 'int', ['int', 'int'])!;
  const home = openSync('/proc/thread-self/ns/net', 'r');
  const there = openSync(`/run/netns/${name}`, 'r');
  try {
    must('setns', () => setns(there, CLONE_NEWNET));
  } catch (error) {
    closeSync(home);
    throw error;
  } finally {
    closeSync(there);
  }
  return () => {
    must('setns', () => setns(home, CLONE_NEWNET));
    closeSync(home);
  };
}
