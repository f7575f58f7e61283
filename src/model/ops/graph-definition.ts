/**
 * TensorFlow's graph format, written with the protobuf classes that the addon's package carries
 * (tensorflow/core/framework/graph.proto, tensorflow/core/protobuf/saved_model.proto).
 */
import { addonRequire, DATA_TYPE_CODES, type DataType } from './tensorflow.ts';
import type { Attribute } from './value.ts';

export type NodeAttribute =
  | Attribute
  | { kind: 'text'; value: string }
  | { kind: 'shape'; value: readonly number[] }
  | { kind: 'tensor'; data: Float32Array | Int32Array; shape: readonly number[]; dataType: DataType };

export interface GraphNode {
  name: string;
  operation: string;
  /** `node:output`, or `^node` for a control dependency. */
  inputs: readonly string[];
  attributes: Record<string, NodeAttribute>;
}

interface ProtobufShape {
  addDim(dimension: unknown): unknown;
}
interface ProtobufAttribute {
  setB(value: boolean): void;
  setI(value: number): void;
  setF(value: number): void;
  setS(value: Uint8Array): void;
  setType(value: number): void;
  setShape(value: ProtobufShape): void;
  setTensor(value: unknown): void;
}
interface ProtobufTensor {
  setDtype(value: number): void;
  setTensorShape(value: ProtobufShape): void;
  setTensorContent(value: Uint8Array): void;
}
interface ProtobufNode {
  setName(value: string): void;
  setOp(value: string): void;
  setInputList(value: string[]): void;
  getAttrMap(): { set(key: string, value: ProtobufAttribute): void };
}
interface ProtobufModule {
  NodeDef: new () => ProtobufNode;
  AttrValue: new () => ProtobufAttribute;
  Tensor: new () => ProtobufTensor;
  TensorShape: { new (): ProtobufShape; Dim: new () => { setSize(value: number): void } };
  VersionDef: new () => { setProducer(value: number): void };
  GraphDef: new () => { addNode(node: ProtobufNode): void; setVersions(versions: unknown): void };
  MetaGraphDef: {
    new (): { setMetaInfoDef(value: unknown): void; setGraphDef(value: unknown): void };
    MetaInfoDef: new () => { addTags(tag: string): void };
  };
  SavedModel: new () => {
    setSavedModelSchemaVersion(version: number): void;
    addMetaGraphs(value: unknown): void;
    serializeBinary(): Uint8Array;
  };
}

const protobuf = addonRequire()('@tensorflow/tfjs-node-gpu/dist/proto/api_pb') as ProtobufModule;

/** The GraphDef producer version of TensorFlow 2.9 and later; older semantics of some kernels end below it. */
const PRODUCER = 1087;

function shapeMessage(shape: readonly number[]): ProtobufShape {
  const message = new protobuf.TensorShape();
  for (const length of shape) {
    const dimension = new protobuf.TensorShape.Dim();
    dimension.setSize(length);
    message.addDim(dimension);
  }
  return message;
}

function attributeMessage(attribute: NodeAttribute): ProtobufAttribute {
  const message = new protobuf.AttrValue();
  switch (attribute.kind) {
    case 'bool':
      message.setB(attribute.value);
      break;
    case 'int':
      message.setI(attribute.value);
      break;
    case 'float':
      message.setF(attribute.value);
      break;
    case 'text':
      message.setS(new TextEncoder().encode(attribute.value));
      break;
    case 'type':
      message.setType(DATA_TYPE_CODES[attribute.value]);
      break;
    case 'shape':
      message.setShape(shapeMessage(attribute.value));
      break;
    case 'tensor': {
      const tensor = new protobuf.Tensor();
      const { buffer, byteOffset, byteLength } = attribute.data;
      tensor.setDtype(DATA_TYPE_CODES[attribute.dataType]);
      tensor.setTensorShape(shapeMessage(attribute.shape));
      tensor.setTensorContent(new Uint8Array(buffer, byteOffset, byteLength));
      message.setTensor(tensor);
      break;
    }
  }
  return message;
}

/** The bytes of a `saved_model.pb` with one graph under the tag `serve`. */
export function savedModelBytes(nodes: readonly GraphNode[]): Uint8Array {
  const graph = new protobuf.GraphDef();
  for (const { name, operation, inputs, attributes } of nodes) {
    const node = new protobuf.NodeDef();
    node.setName(name);
    node.setOp(operation);
    node.setInputList([...inputs]);
    for (const [key, attribute] of Object.entries(attributes)) {
      node.getAttrMap().set(key, attributeMessage(attribute));
    }
    graph.addNode(node);
  }
  const versions = new protobuf.VersionDef();
  versions.setProducer(PRODUCER);
  graph.setVersions(versions);
  const information = new protobuf.MetaGraphDef.MetaInfoDef();
  information.addTags('serve');
  const metaGraph = new protobuf.MetaGraphDef();
  metaGraph.setMetaInfoDef(information);
  metaGraph.setGraphDef(graph);
  const model = new protobuf.SavedModel();
  model.setSavedModelSchemaVersion(1);
  model.addMetaGraphs(metaGraph);
  return model.serializeBinary();
}
