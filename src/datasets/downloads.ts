/** Where the official data comes from, by its place in the layout; the longest place that fits is meant. */
const downloads: Record<string, string> = {
  'COCO2017/train2017': 'Download train2017.zip (18 GB) from cocodataset.org/#download and unpack it in COCO2017',
  'COCO2017/val2017': 'Download val2017.zip (1 GB) from cocodataset.org/#download and unpack it in COCO2017',
  'COCO2017/test2017': 'Download test2017.zip (6 GB) from cocodataset.org/#download and unpack it in COCO2017',
  'COCO2017/annotations':
    'Download annotations_trainval2017.zip (241 MB) from cocodataset.org/#download and unpack it in COCO2017',
  'A-OKVQA': 'Download aokvqa_v1p0.tar.gz from github.com/allenai/aokvqa and unpack it in A-OKVQA',
  'A-OKVQA/aokvqa_v1p0_val_classified.json':
    'Take it from the A-OKVQA download of github.com/opendatalab/MLLM-DataEngine, or name aokvqa_v1p0_val.json as data.validation.file: the teacher then sorts the questions',
  cc_sbu_align:
    'Download the second-stage dataset that github.com/Vision-CAIR/MiniGPT-4 links (dataset/README_2_STAGE.md), as cc_sbu_align',
  gptvqa: 'Download GPTVQA from github.com/opendatalab/MLLM-DataEngine and unpack it as gptvqa',
  MMBench: 'Download mmbench_dev_20230712.tsv as github.com/open-compass/MMBench says, into MMBench',
  'SEED-Bench': 'Download SEED-Bench.json and its images as github.com/AILab-CVC/SEED-Bench says, into SEED-Bench',
};

/**
 * What to download for a file of the official layout, and where to put it.
 *
 * @param path relative to the data root, with slashes
 */
export function downloadFor(path: string): string | undefined {
  const place = Object.keys(downloads)
    .filter((key) => path === key || path.startsWith(`${key}/`))
    .sort((left, right) => right.length - left.length)[0];
  return place === undefined ? undefined : downloads[place];
}
