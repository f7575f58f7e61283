/** Who may send requests to a server: checks of the name that it was called by, of the page that calls, and of the key. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { isLoopback } from '../core/access.ts';
import { ApiError } from './api-error.ts';

/** A host as it stands in an address: an IPv6 one in brackets. */
export const hostInUrl = (host: string): string => (isIP(host) === 6 ? `[${host}]` : host);

/**
 * Refuses requests by a name that is not the server's, and those of other pages in a browser. A page reaches a server that is
 * not its own only by a domain name (DNS rebinding) or with its own origin.
 *
 * @param listening.host that the server was told to listen on
 * @param listening.origin of a proxy in front of it, such as `https://models.example.org`
 * @throws ApiError
 */
export function requireOwnPage(
  { host: called = '', origin }: IncomingHttpHeaders,
  listening: { host: string; port: number; origin?: string | undefined },
): void {
  const { hostname, port } = splitHost(called);
  // Proxies pass on the name that they were called by, or call by the server's own.
  const isProxied = listening.origin !== undefined && called.toLowerCase() === new URL(listening.origin).host;
  const isOwn = isLoopback(listening.host)
    ? (isLoopback(hostname) || hostname === listening.host) && port === listening.port
    : // Probes, containers and gateways call by an address, or by a name without a domain.
      hostname === listening.host || isIP(hostname) !== 0 || (hostname !== '' && !hostname.includes('.'));
  if (!isOwn && !isProxied) {
    throw forbidden('Call this server by its address, or by the name that it was given with --host or --origin');
  }
  if (origin === undefined || origin === listening.origin) return;
  if (isProxied || origin !== `http://${called}`) throw forbidden('Pages of other origins may not call');
}

function splitHost(called: string): { hostname: string; port: number } {
  const [, hostname = '', port = '80'] = /^(\[[\da-f:.]+\]|[^:@/?#[\]]+)(?::(\d{1,5}))?$/i.exec(called) ?? [];
  return { hostname: hostname.replace(/^\[|\]$/g, '').toLowerCase(), port: Number(port) };
}

/**
 * Compares the key that a request has with the server's, in a time that says nothing of where they differ.
 *
 * @param key undefined: none is needed
 * @throws ApiError
 */
export function requireKey({ authorization = '' }: IncomingHttpHeaders, key: string | undefined): void {
  if (key === undefined) return;
  const [, given = ''] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
  // Of equal length, whatever was sent.
  if (timingSafeEqual(digest(given), digest(key))) return;
  const message =
    given === '' ? 'Send the key of this server (Authorization: Bearer …)' : 'This is not the key of this server';
  throw new ApiError({ status: 401, message, code: 'invalid_api_key' });
}

const digest = (text: string) => createHash('sha256').update(text).digest();

/** Of this type a page of another origin can send nothing without asking first. @throws ApiError */
export function requireJson({ 'content-type': type = '' }: IncomingHttpHeaders): void {
  if (/^application\/json\s*(;|$)/i.test(type)) return;
  throw new ApiError({ status: 415, message: 'Send application/json', code: 'unsupported_media_type' });
}

const forbidden = (message: string) => new ApiError({ status: 403, message, code: 'forbidden' });
