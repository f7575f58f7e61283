/**
 * How much memory a traced graph takes while it runs, computed from the graph alone: its nodes are visited in the
 * order they were written, and every value is there from its making to its last use.
 *
 * TensorFlow does the same but for the order, which it changes where nodes do not wait for each other.
 */
import type { GraphNode } from './graph-definition.ts';

/** What `GraphOps` gathers. */
export interface MeasuredGraph {
  readonly nodes: readonly GraphNode[];
  readonly outputBytes: ReadonlyMap<string, number>;
}

/** They hand their input on. */
const ALIASES = new Set(['Reshape', 'Identity', 'Bitcast']);
/** They write over an input that is not needed afterwards (`forward_input_or_allocate_output` in their kernels). */
const IN_PLACE = new Set([
  ...['AddV2', 'Sub', 'Mul', 'RealDiv', 'Minimum', 'Neg', 'Exp', 'Square', 'Sqrt', 'Rsqrt', 'Sigmoid', 'Erf'],
  ...['Softmax', 'BiasAdd'],
]);
/** Their value is stored elsewhere: in a variable. */
const HANDLES = new Set(['VarHandleOp', 'ReadVariableOp']);

interface Buffer {
  bytes: number;
  uses: number;
}

/** Bytes held at once, at most, to compute `outputs` (`node:output`). */
export function peakBytes(graph: MeasuredGraph, outputs: readonly string[]): number {
  const { kept, twin } = distinctNodes(graph, outputs);
  const named = (input: string) => {
    const [node = '', output = '0'] = input.split(':');
    return `${twin.get(node) ?? node}:${output}`;
  };
  const buffers = new Map<string, Buffer>();
  const dataInputs = (node: GraphNode) => node.inputs.filter((input) => !input.startsWith('^')).map(named);
  const uses = new Map<string, number>();
  for (const input of [...kept.flatMap(dataInputs), ...outputs.map(named)]) uses.set(input, (uses.get(input) ?? 0) + 1);

  let held = 0;
  let most = 0;
  for (const node of readyFirst(kept, named)) {
    const inputs = dataInputs(node);
    const made: Buffer[] = [];
    for (let index = 0; graph.outputBytes.has(`${node.name}:${index}`) || index === 0; index++) {
      const output = `${node.name}:${index}`;
      const wanted = uses.get(output) ?? 0;
      const first = buffers.get(inputs[0] ?? '');
      if (ALIASES.has(node.operation) && first) {
        first.uses += wanted;
        buffers.set(output, first);
        continue;
      }
      const bytes = HANDLES.has(node.operation) ? 0 : (graph.outputBytes.get(output) ?? 0);
      const reused = IN_PLACE.has(node.operation)
        ? inputs.map((input) => buffers.get(input)).find((buffer) => buffer?.uses === 1 && buffer.bytes === bytes)
        : undefined;
      const buffer = { bytes, uses: wanted };
      buffers.set(output, buffer);
      if (reused) reused.bytes = 0;
      else held += bytes;
      made.push(buffer);
    }
    most = Math.max(most, held);
    for (const input of inputs) {
      const buffer = buffers.get(input);
      if (buffer && --buffer.uses === 0) held -= buffer.bytes;
    }
    for (const buffer of made) if (buffer.uses === 0) held -= buffer.bytes;
  }
  return most;
}

/** What is needed for the outputs; nodes that compute the same are one, as TensorFlow makes them. */
function distinctNodes(graph: MeasuredGraph, outputs: readonly string[]) {
  const nodeOf = (input: string) => input.replace('^', '').split(':')[0] as string;
  const wanted = new Set(outputs.map(nodeOf));
  for (const node of [...graph.nodes].reverse()) {
    if (wanted.has(node.name)) for (const input of node.inputs) wanted.add(nodeOf(input));
  }
  const known = new Map<string, string>();
  const twin = new Map<string, string>();
  const kept: GraphNode[] = [];
  for (const node of graph.nodes) {
    if (!wanted.has(node.name)) continue;
    const isOwn = /^(Const|Placeholder|Var|Assign|Resource)/.test(node.operation);
    const inputs = node.inputs.map((input) => {
      const name = nodeOf(input);
      return input.replace(name, twin.get(name) ?? name);
    });
    const key = isOwn ? node.name : JSON.stringify([node.operation, inputs, node.attributes]);
    const same = known.get(key);
    if (same === undefined) {
      known.set(key, node.name);
      kept.push(node);
    } else twin.set(node.name, same);
  }
  return { kept, twin };
}

/** TensorFlow starts at once with what waits for nothing: constants, and what comes of variables alone. */
function readyFirst(nodes: readonly GraphNode[], named: (input: string) => string): GraphNode[] {
  const ready = new Set<string>();
  const isReady = ({ operation, inputs }: GraphNode) =>
    operation !== 'Placeholder' &&
    inputs.every((input) => !input.startsWith('^') && ready.has(named(input).split(':')[0] as string));
  const first: GraphNode[] = [];
  const rest: GraphNode[] = [];
  for (const node of nodes) {
    if (isReady(node)) {
      ready.add(node.name);
      first.push(node);
    } else rest.push(node);
  }
  return [...first, ...rest];
}
