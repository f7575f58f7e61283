/** A name of the program as a person says it: `multiple choice` of `multipleChoice`. */
export function worded(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
