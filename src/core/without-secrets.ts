const secretName = /KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|WEBHOOK/i;
/** Shorter values are words that texts hold anyway. */
const shortestSecret = 8;

/** Secrets of this process that no variable holds, with what stands for them in texts. */
const others = new Map<string, string>();

/** Has `withoutSecrets` take this value out of texts too, and write the name instead. */
export function keepSecret(name: string, value: string): void {
  if (value.length >= shortestSecret) others.set(value, `[${name}]`);
}

/**
 * The text with what the environment keeps secret taken out, by its variable's name, and what was given to `keepSecret`: a
 * server may say a key again in its complaint about it, and complaints go into logs and histories.
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
