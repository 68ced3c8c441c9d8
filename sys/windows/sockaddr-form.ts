/** How Windows starts a `sockaddr` (ws2def.h, ws2ipdef.h): the family, with its own number for IPv6. */

import type { SockaddrForm } from '../posix/sockaddr.ts';

export const WINDOWS_FORM: SockaddrForm = { inet: 2, inet6: 23 };
