//! Independent work on several threads, where there are threads: in a browser it is done one after the other.

/// Points below which a transform is over before another thread has begun.
const LEAST_POINTS: usize = 1 << 12;
/// More threads than these wait for memory.
const MOST_THREADS: usize = 8;

/// How many of `jobs` transforms of so many points are worth doing at once.
pub fn at_once(jobs: usize, points: usize) -> usize {
    if points < LEAST_POINTS { 1 } else { jobs.min(threads()).clamp(1, MOST_THREADS) }
}

#[cfg(not(target_arch = "wasm32"))]
fn threads() -> usize {
    rayon::current_num_threads()
}
#[cfg(target_arch = "wasm32")]
fn threads() -> usize {
    1
}

/// Does `job` with every item, each worker with a run of items of its own. Results do not depend on the number of threads.
pub fn each<W: Send, T: Send>(workers: &mut [W], items: &mut [T], job: impl Fn(&mut W, &mut T) + Sync) {
    let run = items.len().div_ceil(workers.len().max(1)).max(1);
    let all = |worker: &mut W, items: &mut [T]| items.iter_mut().for_each(|item| job(worker, item));
    #[cfg(not(target_arch = "wasm32"))]
    if items.len() > 1 && workers.len() > 1 {
        use rayon::prelude::*;
        let runs = workers.par_iter_mut().zip(items.par_chunks_mut(run));
        return runs.for_each(|(worker, items)| all(worker, items));
    }
    for (worker, items) in workers.iter_mut().zip(items.chunks_mut(run)) {
        all(worker, items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once_by_some_worker() {
        for workers in 1..5 {
            for count in 0..12 {
                let mut done = vec![0usize; workers];
                let mut items = vec![0usize; count];
                each(&mut done, &mut items, |done, item| {
                    *done += 1;
                    *item += 1;
                });
                assert_eq!(items, vec![1; count]);
                assert_eq!(done.iter().sum::<usize>(), count);
            }
        }
        assert_eq!(at_once(5, LEAST_POINTS - 1), 1);
        assert!((1..=5).contains(&at_once(5, LEAST_POINTS)) && at_once(0, LEAST_POINTS) == 1);
    }
}
