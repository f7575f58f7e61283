import { expect, test } from 'vitest';
import { isLoopback } from '../../src/core/access.ts';
import { hostInUrl, requireOwnPage } from '../../src/serving/guard.ts';

const isTaken = (host: string, listening: string, origin?: string, proxy?: string) => {
  try {
    requireOwnPage({ host, origin }, { host: listening, port: 8000, origin: proxy });
    return true;
  } catch {
    return false;
  }
};

test.each(['127.0.0.1', 'localhost', '::1', '127.0.0.2'])(
  'on %s only names of this machine are its own',
  (listening) => {
    expect(isTaken('127.0.0.1:8000', listening)).toBe(true);
    expect(isTaken('localhost:8000', listening)).toBe(true);
    expect(isTaken('[::1]:8000', listening)).toBe(true);
    expect(isTaken('LOCALHOST:8000', listening)).toBe(true);
    for (const host of [
      'evil.example:8000',
      '127.0.0.1.evil.example:8000',
      'localhost',
      'localhost:8001',
      '10.0.0.1:8000',
      '',
    ]) {
      expect(isTaken(host, listening)).toBe(false);
    }
  },
);

test('elsewhere addresses, names without a domain and the given name are', () => {
  for (const host of ['10.0.0.1:8000', '10.0.0.1', '[fe80::1]:8000', 'models', 'models:80', '127.0.0.1:8000']) {
    expect(isTaken(host, '0.0.0.0')).toBe(true);
  }
  expect(isTaken('models.example.com', 'models.example.com')).toBe(true);
  for (const host of ['evil.example', 'a@b:8000', 'a/b', '1.2.3.4.5', '']) expect(isTaken(host, '0.0.0.0')).toBe(false);
});

test("a page is the server's own only with the name that it was called by", () => {
  expect(isTaken('localhost:8000', '127.0.0.1', 'http://localhost:8000')).toBe(true);
  for (const origin of ['http://127.0.0.1:8000', 'https://localhost:8000', 'http://localhost', 'null', '']) {
    expect(isTaken('localhost:8000', '127.0.0.1', origin)).toBe(false);
  }
});

test('behind a proxy the page is that of its address, whichever name the proxy calls by', () => {
  const proxy = 'https://models.example.org';
  for (const host of ['models.example.org', 'MODELS.example.org', '127.0.0.1:8000']) {
    expect(isTaken(host, '127.0.0.1', proxy, proxy)).toBe(true);
    expect(isTaken(host, '127.0.0.1', undefined, proxy)).toBe(true);
    for (const origin of ['http://models.example.org', 'https://evil.example', 'https://models.example.org:8443']) {
      expect(isTaken(host, '127.0.0.1', origin, proxy)).toBe(false);
    }
  }
  for (const host of ['evil.example', 'models.example.org:8000']) {
    expect(isTaken(host, '127.0.0.1', proxy, proxy)).toBe(false);
  }
  expect(isTaken('models.example.org', '127.0.0.1', proxy)).toBe(false);
  expect(isTaken('models.example.org:8443', '127.0.0.1', `${proxy}:8443`, `${proxy}:8443`)).toBe(true);
});

test('which addresses only this machine reaches', () => {
  expect(['localhost', '127.0.0.1', '127.9.9.9', '::1'].map(isLoopback)).toEqual([true, true, true, true]);
  expect(['0.0.0.0', '::', '10.0.0.1', '127.example.com', ''].map(isLoopback)).toEqual([
    false,
    false,
    false,
    false,
    false,
  ]);
  expect(['::1', '127.0.0.1', 'localhost'].map(hostInUrl)).toEqual(['[::1]', '127.0.0.1', 'localhost']);
});
