/** COCO's annotation files of one split. */
export interface CocoFiles {
  /** `instances_*.json` */
  instances: string;
  /** `captions_*.json` */
  captions: string;
}

export interface CocoPicture {
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

/** All that COCO says of a picture; boxes and captions in the order of their files. */
export interface AnnotatedPicture extends CocoPicture {
  boxes: CocoBox[];
  captions: string[];
}

/** What COCO says of the pictures of a split. It stays on the disk until it is asked for. */
export interface CocoIndex {
  /** All pictures, by ascending id. */
  list(): Promise<CocoPicture[]>;
  /**
   * All that is known of these pictures, by id. One call for many pictures is much cheaper than one for each.
   *
   * @throws Error when one of them is not there
   */
  read(imageIds: readonly number[]): Promise<Map<number, AnnotatedPicture>>;
}
