import { z } from 'zod';
import { trackerNames } from '../tracking/trackers.ts';
import { hasNoPassword } from './teacher-schema.ts';

/** Where figures of finished rounds go besides the report (docs/tracking.md). */
export const trackingSchema = z
  .strictObject({
    to: z
      .enum(trackerNames)
      .describe('mlflow: a tracking server. wandb: files in the run’s folder, which `wandb sync` uploads.'),
    baseUrl: z
      .url({ protocol: /^https?$/, error: 'write the address of the server, such as http://127.0.0.1:5000' })
      .refine(hasNoPassword, 'has a user name or a password; give them by tracking.apiKeyVariable')
      .optional()
      .describe('mlflow: address of the tracking server.'),
    project: z
      .string()
      .regex(/^[\w.-][\w .-]{0,99}$/, 'use letters, digits, spaces, ".", "_" and "-"')
      .default('dataengine')
      .describe("MLflow's experiment, the project of W&B."),
    apiKeyVariable: z
      .string()
      .min(1)
      .optional()
      .describe(
        'mlflow: environment variable of the CPU workers with a token, or with `user:password`; bound to the host by `secrets` of the settings of the worker. Default: none is sent.',
      ),
  })
  .refine(({ to, baseUrl }) => to !== 'mlflow' || baseUrl !== undefined, {
    path: ['baseUrl'],
    message: 'is missing, and mlflow has a server',
  })
  .refine(({ to, baseUrl, apiKeyVariable }) => to === 'mlflow' || (baseUrl ?? apiKeyVariable) === undefined, {
    path: ['to'],
    message: 'is no server: leave baseUrl and apiKeyVariable out; `wandb sync` has its own',
  });
