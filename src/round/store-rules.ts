/** What the object store has to know of a run's files, from the table of steps. */

import type { RunRules, StepFiles } from '../core/remote/run-files.ts';
import { versionsFolder } from '../datasets/versions.ts';
import { ledgerFolderName } from '../teacher/ledger.ts';
import { localServersName } from './owner/local-servers.ts';
import { ownerFile, ownersFolder } from './owner/owner-place.ts';
import { rowOf, type StepRow, stepNames } from './steps.ts';

/** Where images go that benchmark files hold inside: each machine extracts them for itself. */
export const extractedImagesName = 'benchmark-images';

/** The logs of what the teacher was asked to judge, which all rounds share. */
export const judgeCallsName = 'judge_calls';

/** What a tracker of files writes, in the run's folder. */
export const trackerFolder = 'tracking';

/** What the server of `teacher.serve` leaves: job, log and fence. */
export const teacherServerName = 'teacher-server';

const rows = stepNames.map(rowOf);

/** Folders of the run's folder that are steps', or that each machine has or syncs for itself. */
const notOfRun = new Set([
  ...rows.flatMap(({ folder, shards }) => (folder?.of === 'run' ? [folder.name, shards?.folder] : [])),
  ledgerFolderName,
  extractedImagesName,
  judgeCallsName,
  teacherServerName,
  // Of a run in a store, the store says who owns it.
  ownerFile,
  ownersFolder,
  localServersName,
]);

const published = rows.flatMap(({ publishes }) => (publishes === undefined ? [] : [publishes]));

export const storeRules: RunRules = {
  stepFiles,
  isOfRun(path) {
    const [first = '', second, third] = path.split('/');
    const round = /^round-(\d+)$/.exec(first)?.[1];
    if (round === undefined || second === undefined) return !notOfRun.has(first);
    // Folders of a round are steps'; what a step publishes beside them belongs to that step.
    return third === undefined && !published.some((name) => name.replace('<k>', round) === second);
  },
  isReadBySteps: (path) =>
    !path.startsWith(`${versionsFolder}/objects/`) && !path.startsWith(`${trackerFolder}/`) && path !== 'report.html',
  syncedFolders: [ledgerFolderName],
};

/** Whether a file of a finished step's folder is made again when it is needed. Path: relative to that folder. */
export function isRemade(folder: string, path: string): boolean {
  const { remade = [] } = rows.find((row) => isOfStep(row, folder)) ?? {};
  return remade.some((pattern) => matches(path, pattern));
}

function stepFiles(folder: string): StepFiles {
  const { local, resume }: Pick<StepRow, 'local' | 'resume'> = rows.find((row) => isOfStep(row, folder)) ?? {
    local: [],
    resume: [],
  };
  return {
    isLocal: (path) => local.some((pattern) => matches(path, pattern)),
    isForResuming: (path) => resume.some((pattern) => matches(path, pattern)),
  };
}

/** Whether a folder, relative to the run's, is the step's own or that of one of its shards. */
function isOfStep({ folder, shards }: StepRow, path: string): boolean {
  const inRound = /^round-\d+\/(.*)$/.exec(path)?.[1];
  const name = folder?.of === 'round' ? inRound : path;
  return (
    name !== undefined && (name === folder?.name || (shards !== undefined && name.startsWith(`${shards.folder}/`)))
  );
}

function matches(path: string, pattern: string): boolean {
  if (pattern.startsWith('*')) return path.endsWith(pattern.slice(1));
  return pattern.endsWith('/') ? path.startsWith(pattern) : path === pattern;
}
