//! Spectra of a typed system: of its fields over wavenumbers, and of the values at the probe over frequencies.

use eddy_numerics::{Complex, space::fft::ComplexFft};
use eddy_solve::{discrete::Values, grid::Grid};
use eddy_spec::{Role, Series, ViewData};

use super::pictures::span;

/// Root mean square of |û| over the waves of each whole wavenumber, against |k|, of every field on a periodic grid. The
/// transform is over the number of points, so that a wave of amplitude a has |û| = a/2.
pub fn of_fields(grid: &Grid, values: &[Values]) -> ViewData {
    let [nx, ny, _] = grid.shape();
    let fundamental: Vec<f64> = grid.axes.iter().map(|axis| std::f64::consts::TAU / axis.length()).collect();
    let unit = fundamental.iter().copied().fold(0.0, f64::max);
    let mut rows = ComplexFft::<f64>::new(nx);
    let mut columns = (ny > 1).then(|| ComplexFft::<f64>::new(ny));
    let roles = [Role::Result, Role::Second, Role::Third];
    let mut series = Vec::new();
    for field in values {
        let mut hat: Vec<Complex<f64>> =
            (0..nx * ny).map(|i| Complex::new(field.re[i], field.im.get(i).copied().unwrap_or(0.0))).collect();
        hat.chunks_mut(nx).for_each(|row| rows.forward(row));
        if let Some(transform) = &mut columns {
            let mut column = vec![Complex::new(0.0, 0.0); ny];
            for i in 0..nx {
                (0..ny).for_each(|j| column[j] = hat[j * nx + i]);
                transform.forward(&mut column);
                (0..ny).for_each(|j| hat[j * nx + i] = column[j]);
            }
        }
        let wave =
            |index: usize, points: usize| if index <= points / 2 { index as f64 } else { index as f64 - points as f64 };
        let mut bins = vec![(0.0, 0u32); nx.max(ny) + 1];
        for (index, value) in hat.iter().enumerate() {
            let kx = wave(index % nx, nx) * fundamental[0];
            let ky = if ny > 1 { wave(index / nx, ny) * fundamental[1] } else { 0.0 };
            let bin = (kx.hypot(ky) / unit).round() as usize;
            if let Some((sum, count)) = bins.get_mut(bin) {
                *sum += value.norm_sqr();
                *count += 1;
            }
        }
        let scale = 1.0 / (nx * ny) as f64;
        let (mut xs, mut ys) = (Vec::new(), Vec::new());
        for (bin, (sum, count)) in bins.iter().enumerate().skip(1) {
            if *count > 0 {
                xs.push(bin as f64 * unit);
                ys.push((sum / f64::from(*count)).sqrt() * scale);
            }
        }
        series.push(Series::line(field.name.clone(), roles[series.len().min(2)], xs, ys));
    }
    let x = span(series.iter().flat_map(|s| s.xs.iter().copied()));
    let y = span(series.iter().flat_map(|s| s.ys.iter().copied()).filter(|v| *v > 0.0));
    if !(x.0 <= x.1 && y.0 <= y.1) {
        return ViewData::Empty;
    }
    ViewData::Lines { series, x, y }
}

/// Amplitude of the waves that the values at a point are made of, against their frequency (not angular): the values are
/// taken at equal times between those kept, their mean is left out, and a Hann window, whose loss is made good, keeps apart
/// what lies more than two frequencies asunder. A wave of amplitude a shows as a. Of the second half of the run, so that
/// how it began is forgotten.
pub fn of_path(path: &[(f64, Vec<(f64, f64)>)], values: &[Values]) -> ViewData {
    let path = &path[path.len() / 2..];
    let (Some((start, _)), Some((end, _))) = (path.first(), path.last()) else { return ViewData::Empty };
    if path.len() < 16 || end <= start {
        return ViewData::Empty;
    }
    let count = path.len();
    let interval = (end - start) / count as f64;
    let roles = [Role::Result, Role::Second, Role::Third];
    let mut transform = ComplexFft::<f64>::new(count);
    let mut series = Vec::new();
    for (index, field) in values.iter().enumerate() {
        let mut after = 1;
        let mut samples: Vec<Complex<f64>> = (0..count)
            .map(|n| {
                let time = start + interval * n as f64;
                while after + 1 < count && path[after].0 < time {
                    after += 1;
                }
                let (before, next) = (&path[after - 1], &path[after]);
                let part = ((time - before.0) / (next.0 - before.0)).clamp(0.0, 1.0);
                let (a, b) = (before.1[index], next.1[index]);
                Complex::new(a.0 + part * (b.0 - a.0), a.1 + part * (b.1 - a.1))
            })
            .collect();
        let mean = samples.iter().sum::<Complex<f64>>() / count as f64;
        for (n, sample) in samples.iter_mut().enumerate() {
            let hann = 1.0 - (std::f64::consts::TAU * n as f64 / count as f64).cos();
            *sample = (*sample - mean) * hann;
        }
        transform.forward(&mut samples);
        // Real values have each wave twice, at f and -f.
        let twice = if field.im.is_empty() { 2.0 } else { 1.0 };
        let frequencies: Vec<f64> = (1..count / 2).map(|n| n as f64 / (end - start)).collect();
        let sizes = (1..count / 2).map(|n| twice * samples[n].norm() / count as f64).collect();
        series.push(Series::line(field.name.clone(), roles[series.len().min(2)], frequencies, sizes));
    }
    let x = span(series.iter().flat_map(|s| s.xs.iter().copied()));
    let y = span(series.iter().flat_map(|s| s.ys.iter().copied()).filter(|v| *v > 0.0));
    if !(x.0 <= x.1 && y.0 <= y.1) {
        return ViewData::Empty;
    }
    ViewData::Lines { series, x, y: (y.0.max(1e-12 * y.1), y.1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_at_the_probe_shows_its_frequency_and_amplitude() {
        // Steps of changing length, as an adaptive method makes them.
        let mut time = 0.0;
        let mut path = Vec::new();
        for n in 0..2000 {
            path.push((time, vec![(3.0 + 0.7 * (std::f64::consts::TAU * 1.25 * time).sin(), 0.0)]));
            time += 0.01 * (1.0 + 0.3 * f64::from(n).sin());
        }
        let values = [Values { name: "u".into(), re: vec![0.0], im: Vec::new() }];
        let ViewData::Lines { series, .. } = of_path(&path, &values) else { panic!("nothing is shown") };
        let (frequency, size) =
            series[0].xs.iter().zip(&series[0].ys).max_by(|a, b| a.1.total_cmp(b.1)).expect("not empty");
        assert!((frequency - 1.25).abs() < 0.06, "{frequency}");
        // Between two frequencies a Hann window shows at least 85 % of a wave.
        assert!((0.58..=0.71).contains(size), "{size}");
        assert_eq!(of_path(&path[..20], &values), ViewData::Empty);
    }
}
