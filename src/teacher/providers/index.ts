import { InputError } from '../../core/input-error.ts';
import { type TeacherMode, teacherModes } from '../modes.ts';
import type { TeacherProvider, TeacherSettings } from '../provider.ts';
import { azure } from './azure.ts';
import { openai } from './openai.ts';

/** The providers that are part of this program, by the name in `teacher.provider`. A new one is a file and a line. */
const builtInProviders: Readonly<Record<string, TeacherProvider>> = {
  openai,
  azure,
};

/** A config's teacher, with its provider and its mode. */
export interface Teacher {
  settings: TeacherSettings;
  provider: TeacherProvider;
  mode: TeacherMode;
}

/** The names of all providers. @param added as of `findTeacher` */
export function knownProviders(added: Readonly<Record<string, TeacherProvider>>): string[] {
  return Object.keys({ ...builtInProviders, ...added }).sort();
}

/**
 * Finds the provider and the mode that a config names.
 *
 * @param added providers that a program adds to the built-in ones
 * @throws InputError for a provider that is not there, or a mode that it does not have
 */
export function findTeacher(settings: TeacherSettings, added: Readonly<Record<string, TeacherProvider>>): Teacher {
  const known = { ...builtInProviders, ...added };
  const provider = Object.hasOwn(known, settings.provider) ? known[settings.provider] : undefined;
  if (provider === undefined) {
    throw new InputError({
      file: 'config',
      field: 'teacher.provider',
      problem: `there is no provider ${settings.provider}`,
      remedy: `Known are ${knownProviders(added).join(', ')}`,
    });
  }
  if (!provider.modes.includes(settings.mode)) {
    throw new InputError({
      file: 'config',
      field: 'teacher.mode',
      problem: `the provider ${settings.provider} has no mode ${settings.mode}`,
      remedy: `It has ${provider.modes.join(', ')}`,
    });
  }
  const limits = { ...provider.limits, ...settings.limits };
  return { settings: { ...settings, limits }, provider, mode: teacherModes[settings.mode] };
}
