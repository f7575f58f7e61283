import type { Config } from '../config/schema.ts';
import { readPrice, type TokenPrice } from '../teacher/prices.ts';

/** The teacher's name where it is told who wrote something. */
export function teacherName({ teacher }: Config): string {
  return teacher.provider === 'local' ? 'local rules' : teacher.model;
}

/** What the config's teacher is paid for a token; undefined where that is not known, and for the local teacher. */
export async function paidPrice({ teacher }: Config): Promise<TokenPrice | undefined> {
  return teacher.provider === 'local' ? undefined : readPrice(teacher.prices, teacher.model, teacher.mode);
}
