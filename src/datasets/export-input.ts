import type { DatasetVersion } from './versions.ts';

/** Which data to export, and how. */
export interface ExportInput {
  /** The run's folder, `runs/<run>`. */
  runRoot: string;
  version: DatasetVersion;
  /** A folder that is not there yet, or is empty. */
  output: string;
  /** Where the images are: the folder, and its path under the data root. */
  images: { folder: string; path: string };
  /** QMAE answers with the explanation, QMA without. */
  answerFormat: 'QMA' | 'QMAE';
  /** Puts the images themselves into Parquet files. */
  embedImages?: boolean;
}
