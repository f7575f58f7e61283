import type { Compared, Result } from './compare.ts';

/** What all parts of a run of the bridge share. */
export interface BridgeRun {
  /** Python of the other programs. */
  python: string;
  /** Folder of the images that are asked about, and how many there are. */
  images: string;
  imageCount: number;
  /** Of each benchmark, unless it says otherwise. */
  questions: number;
  /** Hash of the model that is asked. */
  weights: string;
  /** Folder of the results. */
  results: string;
  log: string;
}

/** One benchmark at one of the other programs. */
export interface Part {
  peer: string;
  name: string;
  /** The folder of its results. */
  folder: string;
  questions: number;
  differs?: string | undefined;
  /** Hash of all that its result depends on. */
  key: string;
  /** Asks the server what the other program asked, or both ask, and compares them. */
  compare(server: Server): Promise<Compared & Pick<Result, 'figures' | 'files'>>;
}

export interface Server {
  url: string;
  /** The model's name at the server. */
  model: string;
}
