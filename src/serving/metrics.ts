/** Counters in the text format of Prometheus (exposition format 0.0.4). */

type Labels = Readonly<Record<string, string>>;

/** Bounds of the buckets of times, in seconds: from a token of a small model to a long answer of a large one. */
const buckets = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300];

interface Series {
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  /** Labels as they are written → value. */
  values: Map<string, number>;
}

/** Metrics of one server. Names and labels are the program's own, never a client's: their number is bounded. */
export class Metrics {
  readonly #series = new Map<string, Series>();

  count(name: string, help: string, labels: Labels = {}, by = 1): void {
    add(this.#of(name, help, 'counter'), '', labels, by);
  }

  set(name: string, help: string, value: number): void {
    this.#of(name, help, 'gauge').values.set('', value);
  }

  observe(name: string, help: string, seconds: number): void {
    const series = this.#of(name, help, 'histogram');
    for (const bound of buckets) add(series, '_bucket', { le: String(bound) }, seconds <= bound ? 1 : 0);
    add(series, '_bucket', { le: '+Inf' }, 1);
    add(series, '_sum', {}, seconds);
    add(series, '_count', {}, 1);
  }

  /** What Prometheus reads. */
  text(): string {
    const lines = [...this.#series].flatMap(([name, { help, type, values }]) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...[...values].map(([labels, value]) => `${name}${labels} ${value}`),
    ]);
    return `${lines.join('\n')}\n`;
  }

  #of(name: string, help: string, type: Series['type']): Series {
    const series = this.#series.get(name) ?? { help, type, values: new Map<string, number>() };
    this.#series.set(name, series);
    return series;
  }
}

function add({ values }: Series, suffix: string, labels: Labels, by: number): void {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${quoted(value)}`);
  const key = `${suffix}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`}`;
  values.set(key, (values.get(key) ?? 0) + by);
}

const quoted = (value: string) => `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
