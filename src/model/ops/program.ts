/**
 * A TensorFlow graph with state: functions over named inputs that share named variables.
 *
 * Weights and optimizer state live in the session as resource variables, so that a step passes only its
 * batch and reads only its loss: on a GPU nothing else crosses the bus, and the addon, which looks every
 * name up again in every run, is given few.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { AdamInputs } from './adam.ts';
import { type Assignments, assignments } from './assignments.ts';
import type { Feed } from './eager-ops.ts';
import { savedModelBytes } from './graph-definition.ts';
import { peakBytes } from './graph-memory.ts';
import { GraphOps, type GraphValue } from './graph-ops.ts';
import type { Ops, ProductType } from './ops.ts';
import {
  type Binding,
  BYTES_PER_VALUE,
  DATA_TYPE_CODES,
  type DataType,
  nativeBinding,
  type TypedArray,
} from './tensorflow.ts';
import { sizeOf, type Value } from './value.ts';

/** What a variable is stored as. bfloat16 takes half the memory; such a variable is given as its bytes. */
export type WeightDtype = 'float32' | 'bfloat16';

interface ProgramVariable {
  shape: readonly number[];
  dtype: WeightDtype;
  resource: string;
  value: GraphValue;
  assignInput: GraphValue;
  assigned: string;
}

interface ProgramFunction {
  inputs: { name: string; shape: readonly number[]; dataType: DataType; output: string }[];
  outputNames: string[];
  outputs: string;
}

export interface InputSpecification {
  shape: readonly number[];
  dataType: DataType;
}

export class Program {
  private readonly graph: GraphOps;
  private get binding(): Binding {
    return nativeBinding();
  }
  private readonly variables = new Map<string, ProgramVariable>();
  private readonly functions = new Map<string, ProgramFunction>();
  private session: number | undefined;

  /** What matrix products by weights are computed in. */
  get productType(): ProductType {
    return this.graph.productType;
  }

  constructor(options: { productType?: ProductType | undefined } = {}) {
    this.graph = new GraphOps(options.productType);
  }

  /**
   * Declares a variable; its value is undefined until `assign`.
   *
   * @param isTransposed a matrix that is assigned as `shape` says, and stored as its transpose
   */
  variable(
    name: string,
    shape: readonly number[],
    { dtype = 'float32', isTransposed = false }: { dtype?: WeightDtype; isTransposed?: boolean } = {},
  ): Value {
    const known = this.variables.get(name);
    if (known) return known.value;
    const { graph } = this;
    const dataType = { kind: 'type', value: dtype } as const;
    const kept = isTransposed ? [...shape].reverse() : shape;
    const resource = `${graph.node('VarHandleOp', [], {
      dtype: dataType,
      shape: { kind: 'shape', value: kept },
      container: { kind: 'text', value: '' },
      shared_name: { kind: 'text', value: name },
    })}:0`;
    const output = `${graph.node('ReadVariableOp', [resource], { dtype: dataType })}:0`;
    const value: GraphValue = { shape: kept, dataType: dtype, output };
    // The addon can't make tensors of bfloat16: they come as bytes.
    const assignInput =
      dtype === 'float32' ? graph.placeholder(shape, 'float32') : graph.placeholder([...shape, 2], 'uint8');
    const given = dtype === 'float32' ? assignInput : graph.bitcast(assignInput, shape, dtype);
    const turned = isTransposed ? graph.transpose(given, [1, 0]) : given;
    const assignment = graph.node('AssignVariableOp', [resource, (turned as GraphValue).output], {
      dtype: dataType,
      validate_shape: { kind: 'bool', value: false },
    });
    const assigned = this.after([assignment]);
    this.variables.set(name, { shape: kept, dtype, resource, value, assignInput, assigned });
    return value;
  }

  /** A constant that can be fetched only once `nodes` have run. */
  private after(nodes: readonly string[]): string {
    const one = this.graph.scalar(1) as GraphValue;
    return `${this.graph.node('Identity', [one.output, ...nodes.map((node) => `^${node}`)], {
      T: { kind: 'type', value: 'float32' },
    })}:0`;
  }

  /**
   * Traces a function once. `body` may be given updates to perform (`Updates`), which happen before its outputs
   * can be read.
   */
  define<Input extends string>(
    name: string,
    inputs: Record<Input, InputSpecification>,
    body: (ops: Ops, inputs: Record<Input, Value>, update: Updates) => Record<string, Value>,
  ): void {
    if (this.session !== undefined) throw new Error(`${name}: the program is already loaded`);
    const placeholders = (Object.entries(inputs) as [Input, InputSpecification][]).map((entry) => {
      const [inputName, { shape, dataType }] = entry;
      const value = this.graph.placeholder(shape, dataType);
      return { name: inputName, shape, dataType, output: value.output, value };
    });
    const updates: string[] = [];
    const outputs = body(
      this.graph,
      Object.fromEntries(placeholders.map(({ name: key, value }) => [key, value as Value])) as Record<Input, Value>,
      {
        applyAdam: (variable, adam) => updates.push(this.applyAdam(variable, adam)),
        ...assignments(this.graph, (variable) => this.known(variable), updates),
      },
    );
    const entries = Object.entries(outputs) as [string, GraphValue][];
    const fetched = entries.map(([, value]) =>
      updates.length === 0
        ? value.output
        : `${this.graph.node('Identity', [value.output, ...updates.map((node) => `^${node}`)], {
            T: { kind: 'type', value: value.dataType },
          })}:0`,
    );
    this.functions.set(name, {
      inputs: placeholders,
      outputNames: entries.map(([key]) => key),
      outputs: fetched.join(','),
    });
  }

  private applyAdam(name: string, adam: AdamInputs): string {
    const [parameter, first, second] = [name, `${name}/m`, `${name}/v`].map((key) => {
      const variable = this.variables.get(key);
      if (!variable) throw new Error(`${key} is not a variable of this program`);
      return variable;
    }) as [ProgramVariable, ProgramVariable, ProgramVariable];
    const { graph } = this;
    const text = (value: Value) => (value as GraphValue).output;
    const decay = graph.node(
      'AssignSubVariableOp',
      [parameter.resource, text(graph.multiply(parameter.value, adam.decay))],
      { dtype: { kind: 'type', value: 'float32' } },
    );
    return graph.node(
      'ResourceApplyAdam',
      [
        parameter.resource,
        first.resource,
        second.resource,
        text(adam.beta1Power),
        text(adam.beta2Power),
        text(adam.learningRate),
        text(graph.scalar(adam.betas.beta1)),
        text(graph.scalar(adam.betas.beta2)),
        text(adam.epsilon),
        text(adam.gradient),
        `^${decay}`,
      ],
      {
        T: { kind: 'type', value: 'float32' },
        use_locking: { kind: 'bool', value: false },
        use_nesterov: { kind: 'bool', value: false },
      },
    );
  }

  /** The graph as TensorFlow reads it: the same bytes for the same functions, whatever the variables hold. */
  definition(): Uint8Array {
    return savedModelBytes(this.graph.nodes);
  }

  /** Hands the finished graph to TensorFlow. Nothing can be defined afterwards. */
  load(): void {
    const directory = mkdtempSync(path.join(tmpdir(), 'dataengine-graph-'));
    try {
      writeFileSync(path.join(directory, 'saved_model.pb'), this.definition());
      this.session = this.binding.loadSavedModel(directory, 'serve');
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  private execute(feeds: { name: string; feed: Feed; dataType: DataType }[], outputs: string): TypedArray[] {
    if (this.session === undefined) throw new Error('load the program first');
    const inputs = feeds.map(({ feed, dataType }) =>
      this.binding.createTensor([...feed.shape], DATA_TYPE_CODES[dataType], feed.data),
    );
    try {
      const names = feeds.map(({ name }) => name).join(',');
      return this.binding.runSavedModel(this.session, inputs, names, outputs).map(({ id }) => {
        const data = this.binding.tensorDataSync(id);
        this.binding.deleteTensor(id);
        return data;
      });
    } finally {
      for (const id of inputs) this.binding.deleteTensor(id);
    }
  }

  /** Runs a function. Inputs are checked against the shapes it was traced with. */
  run(name: string, inputs: Record<string, TypedArray>): Record<string, TypedArray> {
    const traced = this.functions.get(name);
    if (!traced) throw new Error(`${name} is not a function of this program`);
    const feeds = traced.inputs.map(({ name: inputName, shape, dataType, output }) => {
      const data = inputs[inputName];
      if (!data || data.length !== sizeOf(shape)) {
        throw new Error(`${name}: ${inputName} must hold [${shape}], not ${data?.length} values`);
      }
      return { name: output, feed: { data, shape }, dataType };
    });
    const results = this.execute(feeds, traced.outputs);
    return Object.fromEntries(
      traced.outputNames.map((outputName, index) => [outputName, results[index] as TypedArray]),
    );
  }

  /** Bytes of the values that are there at once, at most, while a function runs; variables do not count. */
  workingBytes(name: string): number {
    const traced = this.functions.get(name);
    if (!traced) throw new Error(`${name} is not a function of this program`);
    return peakBytes(this.graph, traced.outputs.split(','));
  }

  /** Bytes of all variables. */
  variableBytes(): Map<string, number> {
    return new Map(
      [...this.variables].map(([name, { shape, dtype }]) => [name, sizeOf(shape) * BYTES_PER_VALUE[dtype]]),
    );
  }

  /** Whether `name` was declared. */
  has(name: string): boolean {
    return this.variables.has(name);
  }

  /** What `name` is stored as. */
  dtypeOf(name: string): WeightDtype {
    return this.known(name).dtype;
  }

  /** Sets a variable; one that is stored as bfloat16 by its bytes. */
  assign(name: string, data: Float32Array | Uint8Array): void {
    this.assignAll(new Map([[name, data]]));
  }

  /**
   * Sets several variables in one run. TensorFlow prepares the graph anew for every set of variables, which
   * takes longer than copying a small one: give many small ones together.
   */
  assignAll(values: ReadonlyMap<string, Float32Array | Uint8Array>): void {
    const assignments = [...values].map(([name, data]) => {
      const variable = this.known(name);
      const isOfItsType = variable.dtype === 'float32' ? data instanceof Float32Array : data instanceof Uint8Array;
      if (!isOfItsType || data.length !== sizeOf(variable.assignInput.shape)) {
        throw new Error(`${name}: ${data.length} values for ${variable.dtype} [${variable.shape}]`);
      }
      return { variable, data };
    });
    if (assignments.length === 0) return;
    this.execute(
      assignments.map(({ variable: { assignInput }, data }) => ({
        name: assignInput.output,
        feed: { data, shape: assignInput.shape },
        dataType: assignInput.dataType,
      })),
      assignments.map(({ variable }) => variable.assigned).join(','),
    );
  }

  /** Copies a variable out of TensorFlow. */
  read(name: string): Float32Array {
    return this.execute([], this.known(name).value.output)[0] as Float32Array;
  }

  private known(name: string): ProgramVariable {
    const variable = this.variables.get(name);
    if (!variable) throw new Error(`${name} is not a variable of this program`);
    return variable;
  }

  /** Names and shapes of the variables, in the order of their declaration. */
  variableShapes(): Map<string, readonly number[]> {
    return new Map([...this.variables].map(([name, { shape }]) => [name, shape]));
  }

  /** Frees the session and its variables. */
  dispose(): void {
    if (this.session !== undefined) this.binding.deleteSavedModel(this.session);
    this.session = undefined;
  }
}

export interface Updates extends Assignments {
  /** One AdamW step on `variable`, whose moments are the variables `variable/m` and `variable/v`. */
  applyAdam(variable: string, adam: AdamInputs): void;
}
