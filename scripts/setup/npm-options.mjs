/**
 * `npm run demo --quick` gives `--quick` to npm, which keeps it: without a word the whole demo would run. npm tells scripts of
 * its own options, and of those that it does not know, in variables of the environment.
 */

/** Scripts of package.json that take options. */
const scripts = ['demo', 'dataengine', 'setup'];

/** Options of ours that npm has too: they may stand in a person's .npmrc. */
const alsoOfNpm = ['all', 'cache', 'cpu', 'help', 'json', 'name', 'yes'];

/**
 * What to type instead, when npm has kept options that were meant for the program; undefined when it has kept none.
 *
 * @param {readonly string[]} names of the program's options, without dashes, such as `data-root`
 * @param {NodeJS.ProcessEnv} environment
 * @returns {string | undefined}
 */
export function describeKeptByNpm(names, environment) {
  const script = environment.npm_lifecycle_event ?? '';
  if (!scripts.includes(script)) return undefined;
  const kept = [...new Set(names)].filter(
    (name) => !alsoOfNpm.includes(name) && environment[`npm_config_${name.replaceAll('-', '_')}`] !== undefined,
  );
  if (kept.length === 0) return undefined;
  const options = kept.map((name) => `--${name}`);
  const typed = `npm run ${script} -- ${script === 'dataengine' ? '… ' : ''}${options.join(' ')}`;
  return `npm has kept ${options.join(', ')} for itself. Put \`--\` before options:\n  ${typed}`;
}
