/** Opens the packet backend as `openSys` would, and says why it cannot be opened here. */

import { SysError } from '../../../sys/api.ts';
import { library } from '../../../sys/ffi/library.ts';
import { PacketSys } from '../../../sys/packet/packet-sys.ts';
import { openSharedParts } from '../../../sys/shared-parts.ts';

export function openPacketSys(): PacketSys {
  return new PacketSys(openSharedParts());
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
