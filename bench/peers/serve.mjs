// The peer's side of the protocol, in JavaScript; peer_protocol.py is the same in Python. One JSON object per line:
//   peer:      {"peer": "onnxruntime 1.30.0"} once, when ready, or {"unavailable": "why"}
//   harness:   {"shape": {"op": ...}, "threads": 1, "milliseconds": 150, "minimum": 1}
//   peer:      {"seconds": [...]}  wall time of single calls, or {"unknown": true}, or {"error": "..."}
import { createInterface } from 'node:readline';

const SHORTEST_SAMPLE = 2e-4; // seconds; quicker calls are timed several at once

async function time(run, milliseconds, minimum) {
  const seconds = [];
  const start = performance.now();
  await run();
  const calls = Math.max(1, Math.round(SHORTEST_SAMPLE / ((performance.now() - start) / 1e3)));
  while (seconds.length < minimum || performance.now() - start < milliseconds) {
    const from = performance.now();
    for (let call = 0; call < calls; call++) await run();
    seconds.push((performance.now() - from) / 1e3 / calls);
  }
  return seconds;
}

/** Tells the harness why this peer cannot take part, and ends. */
export function unavailable(reason) {
  process.stdout.write(`${JSON.stringify({ unavailable: reason })}\n`);
  process.exit(0);
}

/** Answers requests until standard input ends. `prepare(shape, threads)` gives an async function to time, or null. */
export async function serve(name, prepare) {
  const answer = (object) => process.stdout.write(`${JSON.stringify(object)}\n`);
  answer({ peer: name });
  let key;
  let prepared;
  for await (const line of createInterface({ input: process.stdin })) {
    const { shape, threads, milliseconds, minimum } = JSON.parse(line);
    try {
      const wanted = JSON.stringify([shape, threads]);
      if (wanted !== key) {
        await prepared?.release?.();
        key = wanted;
        prepared = await prepare(shape, threads);
        await prepared?.run();
      }
      answer(prepared ? { seconds: await time(prepared.run, milliseconds, minimum) } : { unknown: true });
    } catch (error) {
      key = undefined;
      prepared = undefined;
      answer({ error: String(error.message).slice(0, 400) });
    }
  }
}
