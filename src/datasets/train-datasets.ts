import { aokvqaTrain } from './aokvqa.ts';
import { ccSbuAlign } from './cc-sbu-align.ts';
import { gptvqa } from './engine-data.ts';
import type { TrainDataset } from './train-dataset.ts';

/** All base datasets, by the name that a config gives. */
const datasets = { aokvqa: aokvqaTrain, cc_sbu_align: ccSbuAlign, gptvqa };

export type TrainDatasetName = keyof typeof datasets;

export const trainDatasets: Readonly<Record<TrainDatasetName, TrainDataset>> = datasets;

export const trainDatasetNames = Object.keys(datasets) as [TrainDatasetName, ...TrainDatasetName[]];
