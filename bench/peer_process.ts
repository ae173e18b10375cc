// Peers run in child processes that stay alive through the run and answer one request at a time (bench/peers/serve.mjs tells the
// protocol), so that ours and theirs can be timed in turns.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { PeerShape } from './peer_shapes.js';

type Answer = { peer?: string; unavailable?: string; seconds?: number[]; unknown?: true; error?: string };

const PATIENCE = 240; // seconds for one answer

// Each peer: its label, and the commands to try in turn.
const commands: [string, string[][]][] = [
  ['onnxruntime', [[process.execPath, 'onnx_peer.mjs']]],
  [
    'torch',
    [
      ['python3', 'torch_peer.py'],
      ['/usr/bin/python3', 'torch_peer.py'],
    ],
  ],
  ['openblas', [['python3', 'openblas_peer.py', 'system']]],
  ['openblas in numpy', [['python3', 'openblas_peer.py', 'numpy']]],
];

export class Peer {
  name = '';
  private lines: Interface;
  private waiting: ((answer: Answer) => void) | undefined;
  private lastWords = '';
  private ended = false;

  private constructor(private readonly child: ChildProcess) {
    this.lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    this.lines.on('line', (line) => this.settle(JSON.parse(line)));
    child.stderr?.on('data', (text) => {
      this.lastWords = String(text).trim().split('\n').at(-1)?.slice(0, 200) ?? '';
    });
    child.on('error', (error) => this.settle({ unavailable: error.message }));
    child.stdin?.on('error', () => {}); // a write to a peer that just ended; 'close' tells
    child.on('close', () => {
      this.ended = true;
      this.settle({ unavailable: this.lastWords || 'it ended', error: `it ended: ${this.lastWords}` });
    });
  }

  /** The peer, or why it cannot be had. */
  static async start(command: string[], folder: string): Promise<Peer | string> {
    const peer = new Peer(spawn(command[0] as string, command.slice(1), { cwd: folder, stdio: ['pipe', 'pipe', 'pipe'] }));
    const answer = await peer.answer();
    if (answer.peer === undefined) return answer.unavailable ?? answer.error ?? 'no answer';
    peer.name = answer.peer;
    return peer;
  }

  /** Wall times of single calls; undefined where the peer does not know the op. */
  async measure(shape: PeerShape, threads: number, milliseconds: number): Promise<number[] | undefined> {
    if (this.ended) throw new Error(`it ended: ${this.lastWords}`);
    this.child.stdin?.write(`${JSON.stringify({ shape, threads, milliseconds, minimum: 1 })}\n`);
    const { seconds, unknown, error } = await this.answer();
    if (seconds || unknown) return seconds;
    throw new Error(error ?? 'no answer');
  }

  stop(): void {
    this.waiting = undefined;
    this.lines.close();
    this.child.stdin?.end();
    this.child.kill();
  }

  private answer(): Promise<Answer> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.settle({ error: `no answer within ${PATIENCE} s` });
        this.child.kill();
      }, PATIENCE * 1e3);
      this.waiting = (answer) => {
        clearTimeout(timer);
        resolve(answer);
      };
    });
  }

  private settle(answer: Answer): void {
    const settle = this.waiting;
    this.waiting = undefined;
    settle?.(answer);
  }
}

/** Starts every peer that can be had; `log` hears about those that cannot. */
export async function startPeers(root: string, log: (line: string) => void): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const [label, candidates] of commands) {
    let outcome: Peer | string = '';
    for (const command of candidates) {
      outcome = await Peer.start(command, join(root, 'bench', 'peers'));
      if (outcome instanceof Peer) break;
    }
    if (outcome instanceof Peer) peers.push(outcome);
    else log(`without ${label}: ${outcome} (bench/peers/README.md tells how to have it)`);
  }
  return peers;
}
