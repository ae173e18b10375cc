// A process that trains variants of the joint model, one at a time, as its parent sends them (worker_process.ts).
import type { Job } from './jobs.js';
import { JointRunner, type JointSetup } from './joint_job.js';

const runner = new JointRunner(JSON.parse(process.argv[2] as string) as JointSetup);
process.on('message', (job: Job) => {
  void runner.run(job).then((outcome) => process.send?.(outcome));
});
process.on('disconnect', () => process.exit(0));
