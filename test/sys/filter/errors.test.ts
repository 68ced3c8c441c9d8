import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileFilter } from '../../../sys/filter/compile.ts';
import { FilterError } from '../../../sys/filter/filter-error.ts';
import { FILTER_CHARACTERS_MAX } from '../../../sys/filter/lexer.ts';
import { parseFilter } from '../../../sys/filter/parser.ts';
import { parseProgram } from '../../../sys/filter/program.ts';
import { verify } from '../../../sys/filter/verify.ts';

function failure(text: string, target: 'ethernet' | 'udp-socket' = 'ethernet'): FilterError {
  try {
    compileFilter(text, target);
  } catch (error) {
    if (error instanceof FilterError) return error;
    throw error;
  }
  throw new Error(`'${text}' compiles`);
}

describe('an error in a filter', () => {
  it('shows the place with carets, and what to write', () => {
    expect(failure('udp and prot 40000').message).toBe(
      ["'prot' is not known", '  udp and prot 40000', '          ^^^^', "did you mean 'proto'?"].join('\n'),
    );
  });

  it('far to the right is shown with what stands around it', () => {
    const lines = failure(`${'udp or '.repeat(100)}hots 10.0.0.1`).message.split('\n');
    expect(lines[1]!.length).toBeLessThan(130);
    expect(lines[1]!.slice(lines[2]!.indexOf('^'), lines[2]!.length)).toBe('hots');
  });

  it.each([
    ['udp and', 'the filter ends', 7, 'ask something'],
    ['and udp', "'and' stands", 0, 'ask something'],
    ['(udp', "this '(' is not closed", 0, "write ')'"],
    ['udp)', "this ')' closes nothing", 3, 'take it away'],
    ['udp tcp', 'follows without a link', 4, "write 'and' or 'or'"],
    ['10.0.0.1', 'a value without a question', 0, "'host 10.0.0.1'"],
    ['10.0.0.0/8', 'a value without a question', 0, "'net 10.0.0.0/8'"],
    ['udp or 5', 'a value without a question', 7, "'port 5'"],
    ['host 10.1', "'10.1' is no host", 5, "write 'net 10.1'"],
    ['host example.org', 'is no host', 5, 'names are not looked up'],
    ['host', 'a host is missing', 4, 'write a value'],
    ['port 65536', 'is no port', 5, '65535'],
    ['port http', 'is no port', 5, 'names are not looked up'],
    ['port 80-90', 'is no port', 5, "write 'portrange 80-90'"],
    ['portrange 1-2-3', 'is no portrange', 10, 'two of them'],
    ['net 10.1.0.0/8', 'is no net', 4, 'the net is 10.0.0.0'],
    ['net 10.0.0.0/33', 'is no net', 4, '10.0.0.0/8'],
    ['udp host 10.0.0.1', "'udp' has no host", 0, "'udp and host ...'"],
    ['ip port 7', "'ip' has no port", 0, 'tcp, udp, sctp'],
    ['ip6 host 10.0.0.1', 'is an IPv4 address', 9, "take 'ip6' away"],
    ['ether', 'asks nothing yet', 0, 'ether host'],
    ['ether host 10.0.0.1', 'is no host', 11, '02:00:00:00:00:01'],
    ['host 02:00:00:00:00:01', 'is no host', 5, "'ether host 02:00:00:00:00:01'"],
    ['ether proto 5', 'is no protocol', 12, '1536'],
    ['ip broadcast', 'cannot be told', 0, 'ether broadcast'],
    ['vlan 5000', 'does not fit', 5, '4095'],
    ['less', 'a number is missing', 4, 'a length in bytes'],
    ['ip[8] < 5', "'[' means nothing", 2, 'arithmetic'],
    ['udp, tcp', "',' means nothing", 3, 'joined by'],
    ['frobnicate', 'is not known', 0, 'words are'],
  ])('in %j names the place and the remedy', (text, complaint, at, remedy) => {
    const error = failure(text);
    expect(error.complaint).toContain(complaint);
    expect(error.at).toBe(at);
    expect(error.remedy).toContain(remedy);
  });

  it('is told where a UDP socket is asked for what it does not see', () => {
    for (const text of ['ether host 02:00:00:00:00:01', 'udp and vlan 5', 'broadcast', 'ether proto 0x800'])
      expect(failure(text, 'udp-socket').remedy, text).toContain('packet socket');
  });

  it('is the only thing that any text throws', () => {
    const words = fc.constantFrom(
      ...[
        'udp',
        'and',
        'or',
        'not',
        '(',
        ')',
        'host',
        '10.0.0.1',
        'net',
        '10/8',
        'port',
        '5',
        'src',
        'dst',
        'vlan',
        'less',
      ],
      ...[
        'ether',
        'proto',
        '::1',
        'fe80::/10',
        'mask',
        '02:00:00:00:00:01',
        '5-6',
        '!',
        '&&',
        '\\udp',
        '[',
        '0x',
        '999999999999',
      ],
    );
    const texts = fc.oneof(
      fc.array(words, { maxLength: 12 }).map((list) => list.join(' ')),
      fc.string({ unit: 'grapheme', maxLength: 40 }),
    );
    fc.assert(
      fc.property(texts, fc.constantFrom('ethernet' as const, 'udp-socket' as const), (text, target) => {
        try {
          expect(verify(compileFilter(text, target))).toBe(null);
        } catch (error) {
          if (!(error instanceof FilterError)) throw error;
          expect(error.at).toBeLessThanOrEqual(text.length);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('limits', () => {
  it('hold for parentheses, for characters, and for instructions', () => {
    expect(() => parseFilter(`${'('.repeat(99)}udp${')'.repeat(99)}`)).not.toThrow();
    expect(failure(`${'('.repeat(5000)}udp`).complaint).toContain('100 levels');
    expect(failure('not '.repeat(5000)).complaint).toContain('100 levels');
    expect(failure('x'.repeat(FILTER_CHARACTERS_MAX + 1)).complaint).toContain('characters');
    const hosts = (count: number): string =>
      Array.from({ length: count }, (_, i) => `src host 10.0.${i >>> 8}.${i & 255}`).join(' or ');
    expect(verify(compileFilter(hosts(400)))).toBe(null);
    expect(failure(hosts(1200)).complaint).toContain('the kernel takes 4096');
    expect(failure(hosts(2500)).complaint).toContain('more than 8192 tests');
    expect(failure(hosts(2500)).message.length).toBeLessThan(400);
  });

  it('of programs are those of the kernel', () => {
    const complaint = (...lines: string[]): string | null => verify(parseProgram([lines.length, ...lines].join('\n')));
    expect(complaint('6 0 0 1')).toBe(null);
    expect(complaint('21 0 1 5', '6 0 0 1', '6 0 0 0')).toBe(null);
    expect(complaint('21 0 2 5', '6 0 0 1', '6 0 0 0')).toContain('jumps beside');
    expect(complaint('5 0 0 4294967295', '6 0 0 1')).toContain('jumps beside');
    expect(complaint('40 0 0 12')).toContain('no return');
    expect(complaint('52 0 0 0', '6 0 0 1')).toContain('divides by 0');
    expect(complaint('100 0 0 32', '6 0 0 1')).toContain('shifts by 32');
    expect(complaint('2 0 0 16', '6 0 0 1')).toContain('memory');
    expect(complaint('96 0 0 4294967295', '6 0 0 1')).toContain('memory');
    expect(complaint('255 0 0 0', '6 0 0 1')).toContain('no such code');
  });
});
