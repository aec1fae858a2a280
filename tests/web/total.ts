/** Ends the output with one plain line of totals, for scripts. */
import type { FullResult, Reporter, TestCase, TestResult } from '@playwright/test/reporter';

export default class Total implements Reporter {
  private counts = { passed: 0, failed: 0, skipped: 0 };

  onTestEnd(_test: TestCase, result: TestResult): void {
    if (result.status === 'passed') this.counts.passed++;
    else if (result.status === 'skipped') this.counts.skipped++;
    else this.counts.failed++;
  }
  onEnd(result: FullResult): void {
    const { passed, failed, skipped } = this.counts;
    console.log(`page tests: ${passed} passed, ${failed} failed, ${skipped} skipped${result.status === 'passed' ? '' : ` (${result.status})`}`);
  }
  printsToStdio(): boolean {
    return true;
  }
}
