import { aokvqaTrain } from './aokvqa.ts';
import { ccSbuAlign } from './cc-sbu-align.ts';
import { conversations } from './conversations.ts';
import { gptvqa } from './engine-data.ts';
import { questionsTrain } from './questions-train.ts';
import type { TrainDataset } from './train-dataset.ts';

/** All base datasets, by the name that a config gives. */
const datasets = { aokvqa: aokvqaTrain, cc_sbu_align: ccSbuAlign, gptvqa, conversations, questions: questionsTrain };

export { questionColumns } from './own-questions.ts';
export { tableFormats } from './tables/index.ts';

export type TrainDatasetName = keyof typeof datasets;

export const trainDatasets: Readonly<Record<TrainDatasetName, TrainDataset>> = datasets;

export const trainDatasetNames = Object.keys(datasets) as [TrainDatasetName, ...TrainDatasetName[]];
