import type { z } from 'zod';
import { type GenerationRequest, generationRequest } from '../../generation/sample-requests.ts';
import type { TeacherRequest } from '../../teacher/raw-answers.ts';
import type { TeacherAsker } from '../../teacher/request-asker.ts';
import type { StepContext } from '../step-context.ts';
import { withTeacherAsker } from './asker.ts';
import { generationFolder, ledgerSource } from './folder.ts';

/** A list of requests to the teacher that is asked in chunks, within one budget and one set of limits. */
export interface TeacherWork<Request extends TeacherRequest> {
  purpose: 'generate' | 'verify';
  /** The step's. */
  directory: string;
  /** One request a line. */
  requestsFile: string;
  schema: z.ZodType<Request>;
  planFile: string;
  /** Folder of the calls' files. */
  calls: string;
  ledgerSource(chunk: number): string;
  /** Gives the work a teacher that answers these requests. */
  withAsker<R>(requests: readonly Request[], work: (asker: TeacherAsker<Request>) => Promise<R>): Promise<R>;
}

/** The requests for new samples. */
export async function generationWork(context: StepContext): Promise<TeacherWork<GenerationRequest>> {
  const { round } = context;
  const { directory, requestsFile, planFile, calls } = await generationFolder(context);
  return {
    purpose: 'generate',
    directory,
    requestsFile,
    schema: generationRequest,
    planFile,
    calls,
    ledgerSource: (chunk) => ledgerSource(round, 'generate', chunk),
    withAsker: (requests, work) => withTeacherAsker(context, requests, work),
  };
}
