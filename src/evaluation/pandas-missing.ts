/** What pandas (2.0 and newer), which VLMEvalKit reads files with, takes for a missing value. */
const missing = new Set([
  ...['', '#N/A', '#N/A N/A', '#NA', '-1.#IND', '-1.#QNAN', '-NaN', '-nan', '1.#IND', '1.#QNAN', '<NA>', 'N/A'],
  ...['NA', 'NULL', 'NaN', 'None', 'n/a', 'nan', 'null'],
]);

/** Whether pandas reads a cell as missing. */
export function isMissing(text: string): boolean {
  return missing.has(text);
}
