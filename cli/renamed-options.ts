import type { OutputConfiguration } from 'commander';

/** Options that had another name before → their names now. */
const renamedOptions: Readonly<Record<string, string>> = {
  '--picture': '--image',
  '--pictures': '--images',
  '--precision': '--compute-dtype',
  '--weight-storage': '--weight-dtype',
};

/** For `configureOutput`: the error about an unknown option names the new one where it was renamed. */
export const nameRenamedOptions: OutputConfiguration = {
  outputError: (text, write) => write(withNewName(text)),
};

function withNewName(text: string): string {
  const [, option = ''] = /^error: unknown option '(--[\w-]+)/.exec(text) ?? [];
  const newName = renamedOptions[option];
  return newName === undefined ? text : `error: option '${option}' was renamed to ${newName}\n`;
}
