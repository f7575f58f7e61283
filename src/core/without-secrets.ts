const secretName = /KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|WEBHOOK/i;
/** Shorter values may be ordinary words of a text. */
const shortestSecret = 8;

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
    secretName.test(name) && value.length >= shortestSecret ? [[value, `[${name}]`]] : [],
  );
  return [...known, ...others].reduce((clean, [value, name]) => clean.replaceAll(value, name), text);
}
