/** Opens the packet backend as `openSys` would, and says why it cannot be opened here. */

import { chooseAead } from '../../../sys/aead/choose.ts';
import { SysError } from '../../../sys/api.ts';
import { SystemClock } from '../../../sys/clock.ts';
import { SystemRng } from '../../../sys/entropy.ts';
import { library } from '../../../sys/ffi/library.ts';
import type { SharedParts } from '../../../sys/linux/linux-sys.ts';
import { PacketSys } from '../../../sys/packet/packet-sys.ts';

export function sharedParts(): SharedParts {
  return {
    clock: new SystemClock(),
    rng: new SystemRng(),
    openAead: (slots, slotBytes) => chooseAead(slots, slotBytes),
  };
}

export function openPacketSys(): PacketSys {
  return new PacketSys(sharedParts());
}

/** Why frames cannot be sent here; '' if they can. */
export function whyNoFrames(): string {
  if (process.platform !== 'linux' || library() === null) return 'needs koffi on Linux';
  try {
    openPacketSys().close();
    return '';
  } catch (error) {
    if (error instanceof SysError) return `needs CAP_NET_RAW: ${error.code}`;
    throw error;
  }
}
