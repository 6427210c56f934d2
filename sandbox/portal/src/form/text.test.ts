import { describe, expect, it } from 'vitest';
import { parse, write } from './text';

describe('JSON', () => {
  it('is read', () =>
    expect(parse('{"a": [1, null]}', 'json')).toEqual({ ok: true, value: { a: [1, null] } }));

  it('says where it is wrong', () => {
    const found = parse('{"a": 1,}', 'json');
    expect(found.ok).toBe(false);
    if (!found.ok) expect(found.faults[0]?.from).toBeLessThanOrEqual(9);
  });

  it('refuses integers that it would change, but not in text', () => {
    expect(parse('{"a": 12345678901234567890}', 'json').ok).toBe(false);
    expect(parse('{"a": "12345678901234567890"}', 'json').ok).toBe(true);
    expect(parse('{"a": 0.12345678901234567890}', 'json').ok).toBe(true);
  });
});

describe('YAML', () => {
  it('is read', () =>
    expect(parse('a:\n  - 1\n  - x\n', 'yaml')).toEqual({ ok: true, value: { a: [1, 'x'] } }));

  it.each([
    ['a wrong indentation', 'a: 1\n b: 2'],
    ['a key twice', 'a: 1\na: 2'],
    ['a map for a key', '{a: 1}: 2'],
    ['an integer that it would change', 'a: 12345678901234567890'],
    ['an alias of nothing', 'a: *b'],
    [
      'very many aliases',
      Array.from(
        { length: 9 },
        (_, n) =>
          `a${n}: &a${n} [${Array(9)
            .fill(n ? `*a${n - 1}` : 'x')
            .join(', ')}]`,
      ).join('\n'),
    ],
  ])('refuses %s', (_, text) => expect(parse(text, 'yaml').ok).toBe(false));

  it('takes no for text', () =>
    expect(parse('a: no', 'yaml')).toEqual({ ok: true, value: { a: 'no' } }));
});

it('writes what it reads', () => {
  const value = {
    image: { tag: '1.0' },
    replicas: 2,
    list: ['a: b', '- c', 'yes'],
    text: 'one\ntwo',
  };
  for (const format of ['json', 'yaml'] as const) {
    expect(parse(write(value, format), format)).toEqual({ ok: true, value });
  }
});
