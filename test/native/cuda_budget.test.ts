// scripts/check_cuda_budget.mjs on small logs: what ptxas says, and what the script makes of it.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { packageRoot } from '../../src/native/load.js';

const skip = spawnSync('c++filt', ['--version']).status === 0 ? false : 'c++filt is not installed';

interface Needs {
  name?: string;
  architecture?: string;
  registers?: number;
  shared?: number;
  stack?: number;
  spills?: number;
}

const PLAIN = '_ZN3uam4cuda17fill_words_kernelElPjj';
const TEMPLATE = '_ZN3uam4cuda11scan_kernelILi64ELb1EfEEvlPKT1_';

const words = ({ name = PLAIN, architecture = 'sm_90', registers = 24, shared = 0, stack = 0, spills = 0 }: Needs) =>
  [
    'ptxas info    : 0 bytes gmem',
    `ptxas info    : Compiling entry function '${name}' for '${architecture}'`,
    `ptxas info    : Function properties for ${name}`,
    `    ${stack} bytes stack frame, ${spills} bytes spill stores, ${spills} bytes spill loads`,
    `ptxas info    : Used ${registers} registers, used 1 barriers${shared ? `, ${shared} bytes smem` : ''}, 372 bytes cmem[0]`,
    'ptxas info    : Compile time = 15.448 ms',
  ].join('\n');

t.test('the budget of CUDA kernels', { skip }, async (t) => {
  const folder = t.testdir();
  const [log, budget] = [join(folder, 'ptxas.log'), join(folder, 'budget.json')];
  const check = (kernels: Needs[], write = false, compiler = '13.0.88') => {
    writeFileSync(log, `# nvcc ${compiler}\n# cuda/x.cu\n${kernels.map(words).join('\n')}\n`);
    const script = join(packageRoot(), 'scripts', 'check_cuda_budget.mjs');
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [script, '--log', log, '--budget', budget, ...(write ? ['--write'] : [])],
      {
        encoding: 'utf8',
      },
    );
    t.equal(stderr, '');
    return { passed: status === 0, stdout };
  };
  const usual: Needs[] = [{ architecture: 'sm_80', registers: 32 }, {}, { name: TEMPLATE, registers: 100, shared: 4096 }];

  t.ok(check(usual, true).passed);
  t.same(JSON.parse(readFileSync(budget, 'utf8')).kernels, { fill_words_kernel: [32, 0], 'scan_kernel<64, true, float>': [100, 4096] });
  t.match(check(usual), { passed: true, stdout: /2 kernels for sm_80, sm_90: 100 registers at most/ });

  const spilled = check([...usual.slice(0, 2), { name: TEMPLATE, registers: 100, shared: 4096, stack: 16, spills: 8 }]);
  t.match(spilled, { passed: false, stdout: /scan_kernel<64, true, float> \(sm_90\): 16 bytes of registers are spilled/ });
  t.notOk(check([...usual.slice(0, 2), { name: TEMPLATE, stack: 16, spills: 8 }], true).passed, 'a spill is written into no budget');
  t.ok(check(usual, true).passed);

  t.match(check([...usual, { registers: 33 }]), { passed: false, stdout: /needs 33 registers, 32 are its budget/ });
  t.match(check([...usual, { registers: 33 }], false, '12.4.1'), { passed: true, stdout: /told, not judged.*\n.*needs 33 registers/ });
  t.match(check([...usual, { shared: 64 }]), { passed: false, stdout: /fill_words_kernel needs 64 bytes of shared memory/ });
  t.match(check([...usual, { name: '_ZN3uam4cuda10new_kernelEl' }]), { passed: false, stdout: /new_kernel is not in the budget/ });
  t.match(check(usual.slice(0, 2)), { passed: false, stdout: /scan_kernel<64, true, float> is in the budget, but is no kernel any more/ });

  const framed: Needs[] = [...usual, { stack: 40 }];
  t.match(check(framed), { passed: false, stdout: /fill_words_kernel \(sm_90\): a stack frame of 40 bytes/ });
  const known = JSON.parse(readFileSync(budget, 'utf8'));
  writeFileSync(budget, JSON.stringify({ ...known, stack: { fill_words_kernel: 'an array that is indexed by a variable' } }));
  t.ok(check(framed).passed, 'a reason makes it right');
  t.ok(check(framed, true).passed);
  t.match(JSON.parse(readFileSync(budget, 'utf8')).stack, { fill_words_kernel: /indexed/ }, 'and stays');
});

t.test('nvcc runs through a program that keeps the words of ptxas and passes on the others', async (t) => {
  const folder = t.testdir();
  const [object, compiler] = [join(folder, 'x.cu.o'), join(folder, 'nvcc.mjs')];
  writeFileSync(compiler, `console.error(${JSON.stringify(words({}))}); console.error('x.cu(3): warning: unused'); process.exitCode = 5;`);
  const keep = join(packageRoot(), 'scripts', 'keep_ptxas.mjs');
  const { status, stderr } = spawnSync(process.execPath, [keep, process.execPath, compiler, '-o', object], { encoding: 'utf8' });
  t.equal(status, 5);
  t.equal(stderr, 'x.cu(3): warning: unused\n');
  t.equal(readFileSync(`${object}.ptxas`, 'utf8'), `${words({})}\n`);
});
