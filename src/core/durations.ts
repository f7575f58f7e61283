/**
 * Times for which a workflow may ask, and how a person reads one. Temporal takes none of many centuries nor, in words, some of
 * less than a millisecond: a workflow that asks for one is tried again for ever. Workflows import this file.
 */
import { z } from 'zod';

const hundredYears = 100 * 365.25 * 24;
export const timeoutMinutes = z
  .number()
  .min(0.001)
  .max(hundredYears * 60);
/** A timer of Node's that is set for longer than 24.8 days fires at once. */
export const timerSeconds = z
  .number()
  .positive()
  .max(20 * 24 * 3600);
export const waitHours = z.number().positive().max(hundredYears);
export const pollSeconds = z
  .number()
  .positive()
  .max(hundredYears * 3600);

/** `95` → `1 min 35 s`, `7205` → `2 h 0 min` */
export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
