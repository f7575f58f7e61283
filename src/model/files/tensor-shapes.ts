/** Names and shapes of tensors, written down part by part. */

export type Shapes = [name: string, shape: number[]][];

/** Weight `[output, input]` and, by default, bias. */
export function linear(name: string, input: number, output: number, bias = true): Shapes {
  const weight: Shapes = [[`${name}.weight`, [output, input]]];
  return bias ? [...weight, [`${name}.bias`, [output]]] : weight;
}

/** Weight and bias of a layer norm. */
export function norm(name: string, size: number): Shapes {
  return [
    [`${name}.weight`, [size]],
    [`${name}.bias`, [size]],
  ];
}

/** The same tensors as part of a larger model. */
export function prefixed(prefix: string, shapes: Shapes): Shapes {
  return shapes.map(([name, shape]) => [`${prefix}.${name}`, shape]);
}

/** The tensors of `count` layers. */
export function numbered(prefix: string, count: number, layer: (index: number) => Shapes): Shapes {
  return Array.from({ length: count }, (_, index) => prefixed(`${prefix}.${index}`, layer(index))).flat();
}
