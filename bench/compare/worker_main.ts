// A process that does jobs, one at a time, as its parent sends them (worker_process.ts).
import { JobRunner, type Setup } from './do_job.js';
import type { Job } from './jobs.js';

const runner = new JobRunner(JSON.parse(process.argv[2] as string) as Setup);
process.on('message', (job: Job) => {
  void runner.run(job).then((outcome) => process.send?.(outcome));
});
process.on('disconnect', () => process.exit(0));
