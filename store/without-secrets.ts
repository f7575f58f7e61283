const secretName = /KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|WEBHOOK/i;
/** Shorter values are words that texts hold anyway. */
const shortestSecret = 8;

/**
 * The text with what the environment keeps secret taken out, by its variable's name: a server may say a key again in its
 * complaint about it, and complaints go into logs and histories.
 */
export function withoutSecrets(
  text: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string {
  return Object.entries(environment).reduce((clean, [name, value = '']) => {
    const isSecret = secretName.test(name) && value.length >= shortestSecret;
    return isSecret ? clean.replaceAll(value, `[${name}]`) : clean;
  }, text);
}
