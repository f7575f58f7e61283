/** How this program's commands are typed where it is: in a clone, or as a package that npm has installed. */
import { existsSync } from 'node:fs';

/** A package has no lock file of ours, and its folder no scripts; see `isCheckout` of the set-up. */
const isClone = existsSync(new URL('../../package-lock.json', import.meta.url));

export const thisProgram = isClone ? 'npm run dataengine --' : 'npx dataengine';
export const setUpCommand = isClone ? 'npm run setup' : 'npx dataengine setup';
