/** What is said of a Temporal server that can't be reached. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { reach, ServerUnreachable } from '../../workers/connection.ts';

const rust =
  'tonic::transport::Error(Transport, ConnectError(ConnectError("tcp connect error", 127.0.0.1:7799, ' +
  'Os { code: 111, kind: ConnectionRefused, message: "Connection refused" })))';

test.each([
  [rust, 'connection refused'],
  ['Failed to connect before the deadline\nsecond line', 'no answer'],
  ['Name resolution failed for target dns:nowhere:7233', 'name resolution failed for target dns:nowhere:7233'],
])('the reason is in words: %s', async (message, words) => {
  const failure = await reach('127.0.0.1:7799', () => Promise.reject(new Error(message))).catch((error) => error);
  expect(failure).toBeInstanceOf(ServerUnreachable);
  expect(failure.message).toMatch(
    new RegExp(`^No Temporal server can be reached at 127\\.0\\.0\\.1:7799 \\(${words}\\)\\. Start one with`),
  );
});

test('a connection that takes longer than usual is spoken of once, one that is there at once is not', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const said: string[] = [];
  const onWait = (address: string) => void said.push(address);
  await reach(undefined, async () => 'there', onWait);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(said).toEqual([]);
  const slow = reach(undefined, () => new Promise((resolve) => setTimeout(() => resolve('late'), 5000)), onWait);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await slow).toBe('late');
  expect(said).toEqual(['localhost:7233']);
});
