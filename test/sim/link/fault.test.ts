// Faults as text: what is written is read back, and a line that cannot be read is named.

import { describe, expect, it } from 'vitest';
import { faultText, parseFaults } from '../../../sim/link/fault.ts';
import { timeText } from '../../../sim/link/fault-time.ts';

const LINES = [
  'drop client-0>server #3',
  'deliver client-0>server #0',
  'delay server>client-0 #17 by 40ms',
  'delay server>client-0 #18 by -0.25ms',
  'duplicate client-0>server #5',
  'duplicate client-0>server #6 after 3.141ms',
  'corrupt client-0>server #7 flip',
  'replay client-0>server #11 after 30ms',
  'replay client-0>server #11 after 30ms from elsewhere',
  'replay client-0>server #11 after 0.001ms truncate from elsewhere',
  'rebind client-0 at 250ms',
  'rebind client-0 at 250ms to another address',
  'drop a host with blanks>b #4294967295',
  'cut client-0>server at 250ms for 150ms',
  'hold server>client-0 at 0.001ms for 0.001ms',
  'pause server at 0ms for 3600000ms',
  'failSends client-0 at 250ms for 30ms EAGAIN',
  'failReceives client-0 at 250ms 3 times',
  'natTimeout client-0 at 250ms for 150ms after 30ms',
  'receiveBuffer server at 250ms for 150ms of 4096B',
  'drift client-0 at 250ms for 150ms by -200ppm',
  'leap client-0 at 250ms by 300ms',
  'stepCalendar client-0 at 250ms by -90000ms',
];

describe('a script of faults', () => {
  it.each(LINES)('reads back what it wrote: %s', (line) => {
    expect(parseFaults(line).map(faultText)).toEqual([line]);
  });

  it('takes comments, blank lines, blanks around and other units of time', () => {
    const text =
      '# all of it\n\n  drop a>b #3   # the request\n\tdelay a>b #4 by 0.04s\r\nduplicate a>b #5 after 300 us\n';
    expect(parseFaults(text).map(faultText)).toEqual([
      'drop a>b #3',
      'delay a>b #4 by 40ms',
      'duplicate a>b #5 after 0.3ms',
    ]);
    expect(parseFaults('cut a>b at 1.5 s for 300 us').map(faultText)).toEqual(['cut a>b at 1500ms for 0.3ms']);
  });

  it.each([
    ['lose a>b #3', "line 2: 'lose' is no fault: give one of drop, deliver"],
    ['toString a>b #3', "line 2: 'toString' is no fault"],
    ['drop a>b', "line 2: 'drop a>b' cannot be read: write 'drop a>b #3'"],
    ['drop ab #3', 'cannot be read'],
    ['drop a>b #3 twice', 'cannot be read'],
    ['drop a>b #4294967296', 'cannot be read'],
    ['delay a>b #3', "write 'delay a>b #3 by 40ms'"],
    ['delay a>b #3 by 40', 'cannot be read'],
    ['delay a>b #3 by 61s', 'cannot be read'],
    ['duplicate a>b #3 after -1ms', 'cannot be read'],
    ['corrupt a>b #3', '(or truncate, extend, splice)'],
    ['corrupt a>b #3 melt', 'cannot be read'],
    ['replay a>b #3', 'cannot be read'],
    ['replay a>b #3 after 3ms melt', 'cannot be read'],
    ['rebind a', "write 'rebind a at 250ms'"],
    ['rebind a at noon', 'cannot be read'],
    ['rebind a at 250ms for 3ms', 'cannot be read'],
    ['cut a>b', "write 'cut a>b at 250ms for 150ms'"],
    ['cut a>b at 250ms', 'cannot be read'],
    ['cut a at 250ms for 150ms', 'cannot be read'],
    ['hold a>b at -1ms for 150ms', 'cannot be read'],
    ['hold a>b at 250ms for 0ms', 'cannot be read'],
    ['pause a at 250ms for 2h', 'cannot be read'],
    ['pause a at 250ms for 3601s', 'cannot be read'],
    ['pause a at 250ms for 3ms well', 'cannot be read'],
    ['failSends a at 250ms for 3ms EHOSTUNREACH', "'failSends a at 250ms for 30ms EAGAIN' (or ENOBUFS"],
    ['failReceives a at 250ms 0 times', 'cannot be read'],
    ['failReceives a at 250ms for 3ms 3 times', 'cannot be read'],
    ['natTimeout a at 250ms for 3ms after 0ms', 'cannot be read'],
    ['receiveBuffer a at 250ms for 3ms of 100B', 'cannot be read'],
    ['drift a at 250ms for 3ms by 0.5ppm', 'cannot be read'],
    ['drift a at 250ms for 3ms by 100001ppm', 'cannot be read'],
    ['leap a at 250ms by -1ms', 'cannot be read'],
    ['stepCalendar a at 250ms', "write 'stepCalendar a at 250ms by -90s'"],
  ])('names the line of %s', (line, said) => {
    expect(() => parseFaults(`drop a>b #1\n${line}`)).toThrow(said);
    expect(() => parseFaults(`drop a>b #1\n${line}`)).toThrow('line 2: ');
  });

  it('writes every whole number of microseconds so that it is read back', () => {
    for (let micros = 0; micros < 60_000_000; micros += 7_919) {
      expect(parseFaults(`delay a>b #1 by ${timeText(micros)}`)).toMatchObject([{ micros }]);
    }
  });
});
