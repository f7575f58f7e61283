/** COCO's annotation files of one split. */
export interface CocoFiles {
  /** `instances_*.json` */
  instances: string;
  /** `captions_*.json` */
  captions: string;
}

export interface CocoImage {
  id: number;
  /** Without folder. */
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

/** All that COCO says of an image; boxes and captions in the order of their files. */
export interface AnnotatedImage extends CocoImage {
  boxes: CocoBox[];
  captions: string[];
}

/** What COCO says of the images of a split. It stays on the disk until it is asked for. */
export interface CocoIndex {
  /** All images, by ascending id. */
  list(): Promise<CocoImage[]>;
  /**
   * All that is known of these images, by id. One call for many images is much cheaper than one for each.
   *
   * @throws Error when one of them is not there
   */
  read(imageIds: readonly number[]): Promise<Map<number, AnnotatedImage>>;
}
