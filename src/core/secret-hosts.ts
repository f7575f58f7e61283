/** Hosts as the settings of a worker name them: which addresses of servers they stand for, and which can't be meant. */

/** `api.openai.com`, `*.openai.azure.com`, `10.0.0.5:8000`, `http://gpu-7:8000` */
const written = /^(?:(https?):\/\/)?(\*\.)?(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(\d+))?$/i;
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Why a host can't stand in the settings; undefined for one that can. A name is compared with the host of an address as
 * `URL` has it, so one in another spelling would match nothing, or not what was meant.
 */
export function hostProblem(text: string): string | undefined {
  const parts = written.exec(text);
  if (parts === null) {
    return 'write a host such as api.openai.com, *.openai.azure.com, 10.0.0.5:8000 or http://10.0.0.5:8000';
  }
  const [, , wildcard, name = '', port] = parts;
  if (port !== undefined && !isPort(port)) return `${port} is no port: write 1 to 65535, without leading zeros`;
  const low = name.toLowerCase();
  const isAddress = low.startsWith('[') || /^[\d.]+$/.test(low);
  if (wildcard !== undefined && isAddress) return '*. stands before names, not before addresses';
  const found = hostnameOf(wildcard === undefined ? low : `x.${low}`);
  if (found === undefined) return `${name} is no host`;
  const known = wildcard === undefined ? found : found.slice(2);
  if (known !== low) return `write ${name} as ${known}`;
  if (isAddress) return undefined;
  const labels = low.split('.');
  if (low.length > 253 || !labels.every((one) => label.test(one))) return `${name} is no name of a host`;
  if (wildcard !== undefined && isOfMany(labels)) {
    return `*.${name} stands for hosts of many owners: write the domain of one, such as *.openai.azure.com`;
  }
  return undefined;
}

/** Whether a URL's host is one that was written so; over plain http only where that is written too. */
export function isHost(url: URL, text: string): boolean {
  const [, scheme = 'https', wildcard, name = '', port] = written.exec(text) ?? [];
  if (url.protocol !== 'https:' && url.protocol !== `${scheme.toLowerCase()}:`) return false;
  // A URL leaves its scheme's own port out.
  const usual = url.protocol === 'https:' ? '443' : '80';
  if ((url.port || usual) !== (port ?? usual)) return false;
  const low = name.toLowerCase();
  return wildcard === undefined ? url.hostname === low : url.hostname.endsWith(`.${low}`);
}

function isPort(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535;
}

/** As `URL` has it: `127.1` is 127.0.0.1. */
function hostnameOf(name: string): string | undefined {
  return URL.canParse(`https://${name}/`) ? new URL(`https://${name}/`).hostname : undefined;
}

/** Top-level domains, and those second-level ones under which countries register names: `com`, `co.uk`. */
function isOfMany(labels: readonly string[]): boolean {
  const [second = '', top = ''] = labels.slice(-2);
  if (labels.length < 2) return true;
  return labels.length === 2 && top.length === 2 && /^(?:com?|net?|org?|gov?|edu|ac|mil|gob|nom|info)$/.test(second);
}
