import { join } from 'node:path';
import { z } from 'zod';
import { readJson } from '../../core/read-json.ts';
import type { StepOutcome } from '../step-context.ts';

export interface AuditOutcome extends StepOutcome {
  /** Question types that the teacher was asked for. */
  questionTypes: number;
  /** Those of them of which no sample was accepted. */
  empty: number;
}

export const auditFile = 'audit.json';

const auditSchema = z.record(z.string(), z.object({ requested: z.int(), accepted: z.int() }));

/** Question type → samples of it that were requested, and accepted. */
export type Audit = z.output<typeof auditSchema>;

/** Reads the audit from the step's folder. */
export function readAudit(directory: string): Promise<Audit> {
  return readJson(join(directory, auditFile), auditSchema);
}
