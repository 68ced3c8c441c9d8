/** Whether AF_XDP could be had here: every part but the interface, tried and given back. */

import { SysError } from '../api.ts';
import { linuxCalls } from '../linux/calls.ts';
import * as abi from './abi.ts';
import { BpfMap, loadXdpProgram } from './ebpf/bpf.ts';
import { possibleCpus } from './gate.ts';
import {
  COUNTERS,
  SOCKET_KEY_BYTES,
  SOCKET_VALUE_BYTES,
  SOURCE_KEY_BYTES,
  SOURCE_VALUE_BYTES,
  writeProgram,
} from './program.ts';
import { Umem } from './umem.ts';
import { resolveXdpOptions } from './xdp-options.ts';
import { Xsk } from './xsk.ts';

/** What usual frames have: a page would be as good. */
const MTU_BYTES = 1500;
const FRAME_BYTES = 1792;
const NANOS = 1_000_000;

/** What fails, in the order in which a socket would meet it; null: nothing. */
export function xdpFailure(): SysError | null {
  try {
    loadAndForget();
    lockAndForget();
    return null;
  } catch (error) {
    if (error instanceof SysError) return error;
    throw error;
  }
}

/** The program passes the verifier, with its maps and the admission filter. */
function loadAndForget(): void {
  const maps: BpfMap[] = [];
  const map = (...args: ConstructorParameters<typeof BpfMap>): number => {
    const made = new BpfMap(...args);
    maps.push(made);
    return made.fd;
  };
  try {
    const code = writeProgram({
      socketsMap: map('tw_sockets', abi.BPF_MAP_TYPE_HASH, SOCKET_KEY_BYTES, SOCKET_VALUE_BYTES, 1),
      xskMap: map('tw_xsks', abi.BPF_MAP_TYPE_XSKMAP, 4, 4, 1),
      countersMap: map('tw_counters', abi.BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, COUNTERS, possibleCpus()),
      admission: {
        sourcesMap: map('tw_sources', abi.BPF_MAP_TYPE_LRU_HASH, SOURCE_KEY_BYTES, SOURCE_VALUE_BYTES, 64),
        costNanos: NANOS,
        toleranceNanos: NANOS,
      },
      queues: 1,
      frameBytesMax: FRAME_BYTES,
      joinedBefore: false,
    });
    linuxCalls().close(loadXdpProgram('tickwire', code));
  } finally {
    for (const made of maps) made.close();
  }
}

/** The memory of frames may be locked, as many as the defaults ask for. */
function lockAndForget(): void {
  const { rxFrames, txFrames } = resolveXdpOptions({});
  const umem = new Umem(MTU_BYTES, rxFrames, txFrames);
  const xsk = new Xsk('');
  try {
    xsk.registerUmem(umem.arena, umem.bytes, umem.chunkBytes);
  } finally {
    xsk.close();
  }
}
