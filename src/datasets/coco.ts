import type { ImageId } from '../core/images/image-id.ts';
/** COCO's annotation files of one split. */
export interface CocoFiles {
  /** `instances_*.json` */
  instances: string;
  /** `captions_*.json` */
  captions: string;
}

export interface CocoImage {
  id: ImageId;
  /** Below the folder of images. */
  fileName: string;
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  boxCount: number;
  captionCount: number;
}

export interface CocoBox {
  /** The category's name. */
  category: string;
  /** Left, top, width, height in pixels. */
  box: [x: number, y: number, width: number, height: number];
}

/** All annotations of an image; boxes and captions in the order of their files. */
export interface AnnotatedImage extends CocoImage {
  boxes: CocoBox[];
  captions: string[];
}

/** The annotations of the images of a split, read from the disk as needed. */
export interface CocoIndex {
  /** All images, by ascending id. */
  list(): Promise<CocoImage[]>;
  /**
   * The annotations of these images, by id. One call for many images is much cheaper than one for each.
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
