/** What may be said about the way to the network, and what is answered to the rest: the option, and what it may be. */

import { describe, expect, it } from 'vitest';
import { type BackendOptions, SysOptionError } from '../../sys/api.ts';
import { checkBackend } from '../../sys/backend-options.ts';
import { resolveXdpOptions } from '../../sys/xdp/xdp-options.ts';

describe('checkBackend', () => {
  it('takes a word, an object, or what the environment names', () => {
    expect(checkBackend('udp')).toEqual({ backend: 'udp' });
    const options: BackendOptions = { backend: 'xdp', interface: 'eth0', admission: { datagramsPerSecond: 2000 } };
    expect(checkBackend(options)).toBe(options);
    expect(checkBackend(undefined, 'packet')).toEqual({ backend: 'packet' });
    expect(checkBackend(undefined, '')).toEqual({ backend: 'auto' });
    expect(checkBackend('dgram', 'packet')).toEqual({ backend: 'dgram' });
  });

  it.each([
    ['ipx', '', '"ipx" is no backend: it may be auto, udp, packet, xdp, dgram'],
    [{ backend: 'ipx' }, 'backend', '"ipx" is no backend'],
    [{}, 'backend', '"undefined" is no backend'],
    [7, '', '7 is no way to the network'],
    [{ backend: 'udp', interface: 'eth0' }, 'interface', "udp has no such option: give backend 'xdp' for it"],
    [{ backend: 'auto', fallback: true }, 'fallback', "give backend 'packet' for it"],
    [{ backend: 'packet', fallback: 'no' }, 'fallback', 'no is neither true nor false'],
    [{ backend: 'xdp', inteface: 'eth0' }, 'inteface', 'there is no such option; xdp has interface, mode'],
    [{ backend: 'xdp', interface: '' }, 'interface', '"" cannot name an interface'],
    [{ backend: 'xdp', interface: 'an interface' }, 'interface', 'ip -brief link'],
    [{ backend: 'xdp', interface: 'sixteen-letters-' }, 'interface', 'cannot name'],
    [{ backend: 'xdp', mode: 'driver' }, 'mode', '"driver" is no mode: it may be auto, native, generic'],
    [{ backend: 'xdp', zeroCopy: 1 }, 'zeroCopy', 'neither true nor false'],
    [{ backend: 'xdp', verifyChecksums: 'yes' }, 'verifyChecksums', 'neither true nor false'],
    [{ backend: 'xdp', rxFrames: 1000 }, 'rxFrames', '1000 is not a power of two, such as 1024'],
    [{ backend: 'xdp', txFrames: 32 }, 'txFrames', '32 is not a whole number from 64 to 65536'],
    [{ backend: 'xdp', admission: 2000 }, 'admission', 'give { datagramsPerSecond, burst }'],
    [{ backend: 'xdp', admission: {} }, 'admission.datagramsPerSecond', 'undefined is not a whole number'],
    [
      { backend: 'xdp', admission: { datagramsPerSecond: 1e8 } },
      'admission.datagramsPerSecond',
      '100000000 is not a whole number from 1 to 10000000',
    ],
    [{ backend: 'xdp', admission: { datagramsPerSecond: 1, burst: 0 } }, 'admission.burst', '0 is not a whole number'],
    [{ backend: 'xdp', admission: { datagramsPerSecond: 1, rate: 0 } }, 'admission.rate', 'there is no such option'],
  ] as const)('%o is wrong, and says where', (given, field, remedy) => {
    let error: unknown;
    try {
      checkBackend(given as BackendOptions);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(SysOptionError);
    expect(error).toMatchObject({ code: 'EINVAL', field, remedy: expect.stringContaining(remedy) });
    expect((error as Error).message).toContain(remedy);
  });
});

describe('the options of xdp', () => {
  it('have defaults, a burst that of half a second among them', () => {
    expect(resolveXdpOptions({})).toEqual({
      interface: null,
      mode: 'auto',
      zeroCopy: true,
      admission: null,
      verifyChecksums: true,
      rxFrames: 2048,
      txFrames: 2048,
      fallback: true,
    });
    const burstOf = (datagramsPerSecond: number) => resolveXdpOptions({ admission: { datagramsPerSecond } }).admission;
    expect(burstOf(2000)).toEqual({ datagramsPerSecond: 2000, burst: 1000 });
    expect(burstOf(1)).toEqual({ datagramsPerSecond: 1, burst: 1 });
    expect(burstOf(10_000_000)!.burst).toBe(1_000_000);
  });
});
