/** The formats that `dataengine data export` writes. Apart from the code that writes them, which loads slowly. */
export const exportFormats = ['reference', 'llava', 'sharegpt', 'messages', 'parquet', 'webdataset'] as const;

export type ExportFormat = (typeof exportFormats)[number];
