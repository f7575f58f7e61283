const secretName = /KEY|TOKEN|SECRET|PASS|_PWD$|CREDENTIAL|WEBHOOK|AUTH(?!OR)|BEARER|_DSN$|_PAT$/i;
/** Shorter values may be ordinary words of a text. */
const shortestSecret = 8;

/** Whether an environment variable of this name holds a secret, as far as the name says. */
export function looksSecret(name: string): boolean {
  return secretName.test(name);
}

/** Secrets of this process that are in no environment variable, with their replacements in texts. */
const others = new Map<string, string>();

/** Makes `withoutSecrets` replace this value by the name too. */
export function keepSecret(name: string, value: string): void {
  if (value.length >= shortestSecret) others.set(value, `[${name}]`);
}

/**
 * The text without secrets: values of environment variables whose names look secret, and those given to `keepSecret`. A
 * server may repeat a key in its error message, and such messages get into logs and histories.
 */
export function withoutSecrets(
  text: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const known = Object.entries(environment).flatMap(([name, value = '']): [string, string][] =>
    looksSecret(name) && value.length >= shortestSecret ? [[value, `[${name}]`]] : [],
  );
  return [...known, ...others].reduce((clean, [value, name]) => clean.replaceAll(value, name), text);
}
