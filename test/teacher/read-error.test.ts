import { APIConnectionError, APIError } from 'openai';
import { describe, expect, test } from 'vitest';
import { errorOfStatus, retryAfter, teacherErrorFrom } from '../../src/teacher/read-error.ts';
import { isRefusalOfContent, isTooLong } from '../../src/teacher/teacher-error.ts';

describe('retryAfter reads', () => {
  test.each([
    [{ 'retry-after-ms': '250' }, 0.25],
    [{ 'retry-after': '3' }, 3],
    [{ 'retry-after': '1.5' }, 1.5],
    [{ 'retry-after-ms': '100', 'retry-after': '9' }, 0.1],
    [{ 'retry-after': 'Wed, 01 Jan 2025 00:00:10 GMT' }, 10],
    [{ 'retry-after': 'Wed, 01 Jan 2020 00:00:00 GMT' }, 0],
    // No longer than a day: Temporal takes no such delay, and a timer of many days fires at once.
    [{ 'retry-after': '1e300' }, 86_400],
    [{ 'retry-after-ms': '1e15' }, 86_400],
    [{ 'retry-after': 'Wed, 01 Jan 9999 00:00:00 GMT' }, 86_400],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '-1' }, undefined],
    [{}, undefined],
  ])('%j as %s seconds', (headers, seconds) => {
    expect(retryAfter(new Headers(headers), () => Date.parse('2025-01-01T00:00:00Z'))).toBe(seconds);
  });
});

describe('an error of the client', () => {
  test.each([
    [400, false],
    [401, false],
    [403, false],
    [404, false],
    [422, false],
    [408, true],
    [409, true],
    [429, true],
    [500, true],
    [503, true],
  ])('with status %i has retryable %s', (status, retryable) => {
    const error = teacherErrorFrom(APIError.generate(status, { message: 'no' }, 'no', new Headers()));
    expect(error).toMatchObject({ status, retryable });
  });

  test('for a used-up account is not retryable, though its status is 429', () => {
    const used = APIError.generate(429, { error: { code: 'insufficient_quota' } }, 'no', new Headers());
    expect(teacherErrorFrom(used).retryable).toBe(false);
  });

  test('has the first words of a page that a proxy sends', () => {
    const page = `<!doctype html><html><style>p {}</style><body><p>Under repair</p>${'<p>Sorry</p>'.repeat(1000)}</body></html>`;
    const { message } = teacherErrorFrom(APIError.generate(503, undefined, page, new Headers()));
    expect(message).toMatch(/^The teacher failed: 503 Under repair Sorry/);
    expect(message.length).toBeLessThan(600);
  });

  test('of the connection is retryable and says why', () => {
    const error = teacherErrorFrom(
      new APIConnectionError({ message: 'Connection error.', cause: new Error('refused') }),
    );
    expect(error).toMatchObject({ retryable: true, status: undefined });
    expect(error.message).toMatch(/refused/);
    expect(error.unusable).toBe(false);
  });

  test.each([
    ['self-signed certificate', 'DEPTH_ZERO_SELF_SIGNED_CERT', /certificate \(NODE_EXTRA_CA_CERTS/],
    ['certificate has expired', 'CERT_HAS_EXPIRED', /could not be reached: .*CERT_HAS_EXPIRED/],
    ["Hostname/IP does not match certificate's altnames", 'ERR_TLS_CERT_ALTNAME_INVALID', /Check teacher\.baseUrl/],
    ['write EPROTO wrong version number', 'EPROTO', /wrong version number/],
    ['The answer has more than 8000000 bytes', undefined, /answer is too large/],
    ['Parse Error: Expected HTTP/', 'HPE_INVALID_CONSTANT', /no HTTP server: check the port/],
  ])('that only somebody can mend, such as %s, is as an unusable answer', (words, code, message) => {
    const cause = Object.assign(new Error(words), { code });
    const error = teacherErrorFrom(new APIConnectionError({ message: 'Connection error.', cause }));
    expect(error).toMatchObject({ retryable: true, unusable: true, message: expect.stringMatching(message) });
  });
});

describe('an error in a batch', () => {
  const error = (code: string | undefined, message: string) => ({ error: { code, message } });

  test('is recognized by its code or its words, like that of a single request', () => {
    expect(isTooLong(errorOfStatus(400, error('context_length_exceeded', 'No')))).toBe(true);
    expect(isTooLong(errorOfStatus(400, error(undefined, "This model's maximum context length is 1024 tokens")))).toBe(
      true,
    );
    expect(isRefusalOfContent(errorOfStatus(400, error('content_filter', 'No')))).toBe(true);
    expect(isTooLong(errorOfStatus(429, error(undefined, 'maximum context length is 1024')))).toBe(false);
  });

  test('has its status where its body says nothing', () => {
    expect(errorOfStatus(500, null)).toMatchObject({ message: 'HTTP 500', status: 500, retryable: true });
  });
});
