/** What a person reads when something could not be opened. */

import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { addressOf } from '../../sys/address.ts';
import { errnoName, errnoOf, REMEDIED_CODES, remedyFor, sysError } from '../../sys/errno.ts';

const v4 = addressOf('127.0.0.1', 40_000)!;
const v6 = addressOf('::1', 40_000)!;

describe('SysError', () => {
  it.each(REMEDIED_CODES)('%s is an errno of some system, and its remedy says something to do', (code) => {
    expect(code).toMatch(/^E[A-Z]+$/);
    if (process.platform === 'linux') expect(errnoOf(code)).toBeGreaterThan(0);
    for (const subject of [v4, v6, 'something', '']) {
      const error = sysError(code, 'bind', subject);
      expect(error.code).toBe(code);
      expect(error.syscall).toBe('bind');
      expect(error.message).toMatch(new RegExp(`^bind: ${code}: .{30,}`));
      expect(error.message).not.toMatch(/undefined|NaN|unexpected/);
    }
  });

  it('names the port and the command that shows who holds it', () => {
    expect(remedyFor('EADDRINUSE', v4)).toBe(
      '127.0.0.1:40000: another program holds udp port 40000: `ss -lunp sport = :40000` shows which; stop it, choose another port, or open both with reusePort',
    );
  });

  it('gives the setcap line for a port below 1024, and only there', () => {
    expect(remedyFor('EACCES', addressOf('0.0.0.0', 80)!)).toContain('setcap cap_net_bind_service=+ep');
    expect(remedyFor('EACCES', v4)).not.toContain('setcap');
  });

  it('names the wildcard of the family that was asked for', () => {
    expect(remedyFor('EADDRNOTAVAIL', v4)).toContain('0.0.0.0 means all');
    expect(remedyFor('EADDRNOTAVAIL', v6)).toContain(':: means all');
    expect(remedyFor('EAFNOSUPPORT', v6)).toContain('use an IPv4 address');
  });

  it('says where to read on for an error without a remedy', () => {
    expect(remedyFor('EXDEV', '')).toContain('errno(3) explains EXDEV');
  });
});

describe('errno names', () => {
  it('go there and back for every number of this machine', () => {
    for (const [name, number] of Object.entries(constants.errno)) {
      expect(errnoOf(name)).toBe(number);
      expect(errnoOf(errnoName(number))).toBe(number);
    }
  });

  it('prefer the name of the man pages where two share a number', () => {
    expect(errnoName(constants.errno.EAGAIN)).toBe('EAGAIN');
    expect(errnoName(constants.errno.EOPNOTSUPP)).toBe('EOPNOTSUPP');
  });

  it('show the number of an error that has no name', () => {
    expect(errnoName(9999)).toBe('E9999');
    expect(errnoOf('ENOSUCHNAME')).toBe(0);
  });
});
