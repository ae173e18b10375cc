import { UamError } from '../errors.js';

interface ActivationFunction {
  f: (x: number) => number;
  slope: (x: number) => number;
}

const logistic = (x: number) => 1 / (1 + Math.exp(-x));

// gelu in its tanh form is x logistic(2u) with u = sqrt(2/pi) (x + 0.044715 x^3), since (1 + tanh(u)) / 2 = logistic(2u)
const twiceU = (x: number) => 2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);
const twiceUSlope = (x: number) => 2 * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);

/** In the order of `Activation` in native/activation.h. */
const functions = {
  none: { f: (x) => x, slope: () => 1 },
  relu: { f: (x) => Math.max(0, x), slope: (x) => (x > 0 ? 1 : 0 * x) },
  sigmoid: { f: logistic, slope: (x) => logistic(x) * logistic(-x) },
  tanh: { f: Math.tanh, slope: (x) => 1 - Math.tanh(x) ** 2 },
  silu: { f: (x) => x / (1 + Math.exp(-x)), slope: (x) => logistic(x) * (1 + x * logistic(-x)) },
  softplus: { f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), slope: logistic },
  geluTanh: {
    f: (x) => x * logistic(twiceU(x)),
    slope: (x) => logistic(twiceU(x)) + x * (logistic(twiceU(x)) * logistic(-twiceU(x))) * twiceUSlope(x),
  },
} as const satisfies Record<string, ActivationFunction>;

/** A function that a linear layer may end in: `silu` is x / (1 + e^-x), `geluTanh` the tanh form of GELU. */
export type Activation = keyof typeof functions;

const names = Object.keys(functions) as Activation[];

/** The number that kernels know an activation by. */
export function activationIndex(op: string, activation: Activation): number {
  const index = names.indexOf(activation);
  if (index < 0) throw new UamError('UAM_ARGUMENT', `${op}: activation must be one of ${names.join(', ')}, received '${activation}'`);
  return index;
}

/** The function of that number. */
export function activationFunction(index: number): ActivationFunction {
  return functions[names[index] as Activation];
}
