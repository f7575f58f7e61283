import type { ImageId } from '../core/images/image-id.ts';

/** COCO's annotation files of one split. */
export interface CocoFiles {
  /** `instances_*.json` */
  instances: string;
  /** `captions_*.json` */
  captions: string;
}

/** An image of the pool, about which new samples are written. */
export interface PoolImage {
  id: ImageId;
  /** Below the folder of images. */
  fileName: string;
  /** Pixels, by the annotations. */
  width?: number;
  /** Pixels, by the annotations. */
  height?: number;
  boxCount: number;
  captionCount: number;
  /** Whether enough is known of it for a sample. Default: with a caption and a box, as in COCO. */
  isDescribed?: boolean;
  /** SHA-256 of its file, where it was read. */
  sha256?: string;
}

export interface CocoBox {
  /** The category's name. */
  category: string;
  /** Left, top, width, height in pixels. */
  box: [x: number, y: number, width: number, height: number];
}

/** All that the teacher may be told about an image; boxes and captions in the order of their files. */
export interface AnnotatedImage extends PoolImage {
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  boxes: CocoBox[];
  captions: string[];
}

/** The images that new samples are written about, with what is known of them, read from the disk as needed. */
export interface ImagePool {
  /** Reason → how many images of the folder are not in the pool. */
  leftOut?: Readonly<Record<string, number>>;
  /** All images, by ascending id. */
  list(): Promise<PoolImage[]>;
  /**
   * What is known of these images, by id. One call for many images is much cheaper than one for each.
   *
   * @throws Error when one of them is not there
   */
  read(imageIds: readonly ImageId[]): Promise<Map<ImageId, AnnotatedImage>>;
}

/** Path under the data root → how to download COCO's part of that name. */
export const cocoDownloads: Readonly<Record<string, string>> = {
  'COCO2017/train2017': 'Download train2017.zip (18 GB) from cocodataset.org/#download and unpack it in COCO2017',
  'COCO2017/val2017': 'Download val2017.zip (1 GB) from cocodataset.org/#download and unpack it in COCO2017',
  'COCO2017/test2017': 'Download test2017.zip (6 GB) from cocodataset.org/#download and unpack it in COCO2017',
  'COCO2017/annotations':
    'Download annotations_trainval2017.zip (241 MB) from cocodataset.org/#download and unpack it in COCO2017',
};
