//! A density of the user's own, drawn on a pad: one Gaussian for each inked cell.

use eddy_numerics::diffusion::{Component, Mixture, Shape};
use eddy_spec::{Drawing, EddyError, ParamSpec, ParamType, drawing};

/// Cells along a side of the pad.
pub const SIDE: u32 = 32;
/// The pad covers [−REACH, REACH]², where the other targets of the plane lie.
const REACH: f64 = 2.0;
/// Components at most, half of the cells: a filled half of the pad. Batches take little time for each (they lie on a lattice),
/// but pictures of the density and likelihoods grow as their number.
pub const MOST: usize = (SIDE * SIDE / 2) as usize;
/// The letter e, as the page's pad draws it for a start.
const DEFAULT: &str = "1ffATuBRApCHMPTMHCAkHPZHAiKPUNRPUKAgKPSLFATFLPSIAeHPSHAXHPRHAdCPSHAZEFAeHPRLArMPRFArPSCfAbBPiMAaCPjCAaPSMdPSAbMPRFAbFPRMAbHPRLAbLPRHAbBPSHAZHPSBAcHPSHAXHPSHAeKPSLFATFLPSKAgKPUNRPUKAiHPZHAkBHMPTMHBApCRATu";

/// The key of the parameter, for errors.
const KEY: &str = "drawing";

/// The parameter's control.
pub fn pad() -> ParamSpec {
    drawing(SIDE, SIDE)
}

/// What is drawn before the user draws.
pub fn default() -> Drawing {
    Drawing::parse(DEFAULT).expect("the text above is a drawing")
}

/// The mixture of a drawing of at most [`SIDE`] × [`SIDE`] cells over [−2, 2]²: in the middle of each inked cell a Gaussian
/// of weight proportional to the shade, whose standard deviation is half of the cell's side, so that an even area is even to
/// 3 %. With more than [`MOST`] inked cells, blocks of 2 × 2 are the cells. Without ink there is no density: an error at the
/// parameter.
pub fn mixture(drawing: &Drawing) -> Result<Mixture, EddyError> {
    let wrong = |message: String| EddyError::start(message).at(KEY);
    if drawing.is_empty() {
        let what =
            "Draw something first: the samples need ink to go to. Or take one of the small drawings below the pad.";
        return Err(wrong(what.to_owned()));
    }
    let (columns, rows) = (drawing.columns() as usize, drawing.rows() as usize);
    let inked = drawing.shades().iter().filter(|shade| **shade > 0).count();
    let side = if inked > MOST { 2 } else { 1 };
    let (wide, high) = (columns.div_ceil(side), rows.div_ceil(side));
    let mut ink = vec![0.0; wide * high];
    for (at, shade) in drawing.shades().iter().enumerate() {
        ink[at / columns / side * wide + at % columns / side] += f64::from(*shade);
    }
    let cell = 2.0 * REACH / columns.max(rows) as f64;
    let middle = |k: usize, count: usize| cell * (side as f64 * (k as f64 + 0.5) - 0.5 * count as f64);
    let component = |(at, ink): (usize, &f64)| Component {
        weight: *ink,
        mean: vec![middle(at % wide, columns), middle(at / wide, rows)],
        shape: Shape::Isotropic { sd: 0.5 * cell * side as f64 },
        class: 0,
    };
    let law = Mixture::new(2, ink.iter().enumerate().filter(|(_, ink)| **ink > 0.0).map(component).collect());
    Ok(law.map_err(|error| wrong(format!("This drawing makes no distribution: {error}.")))?.with_lattice())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A drawing whose cell (i, j) has the shade that `shade` gives.
    fn drawn(shade: impl Fn(u32, u32) -> u8) -> Drawing {
        let shades = (0..SIDE * SIDE).map(|at| shade(at % SIDE, at / SIDE)).collect();
        Drawing::new(SIDE, SIDE, shades).unwrap()
    }
    /// Scattered ink of all shades.
    fn noisy() -> Drawing {
        drawn(|i, j| (((i * 7 + j * 13) * (j + 3) + i * i) % 48).saturating_sub(32) as u8)
    }
    fn ink(drawing: &Drawing) -> f64 {
        drawing.shades().iter().map(|s| f64::from(*s)).sum()
    }
    /// Middles of `count` cells along [−REACH − 1, REACH + 1] and their width: beyond lies less than 10⁻⁹ of any drawing.
    fn midpoints(count: u32) -> (Vec<f64>, f64) {
        let width = 2.0 * (REACH + 1.0) / f64::from(count);
        ((0..count).map(|k| -REACH - 1.0 + width * (f64::from(k) + 0.5)).collect(), width)
    }

    #[test]
    fn the_default_is_drawn_cell_by_cell() {
        let drawing = default();
        let cells = drawing.shades().iter().filter(|s| **s > 0).count();
        let law = mixture(&drawing).unwrap();
        assert!(cells <= MOST && law.components().len() == cells, "{cells}");
        let cell = 4.0 / f64::from(SIDE);
        let inked = drawing.shades().iter().enumerate().filter(|(_, s)| **s > 0);
        for ((at, shade), c) in inked.zip(blocks_in_order(&law)) {
            let middle = |k: u32| cell * (f64::from(k) + 0.5) - REACH;
            assert_eq!(c.mean, [middle(at as u32 % SIDE), middle(at as u32 / SIDE)]);
            assert!((c.weight - f64::from(*shade) / ink(&drawing)).abs() < 1e-15);
            assert_eq!(c.shape, Shape::Isotropic { sd: 0.5 * cell });
        }
    }
    /// Components row by row, as cells are counted.
    fn blocks_in_order(law: &Mixture) -> Vec<Component> {
        let mut all = law.components().to_vec();
        all.sort_by(|a, b| (a.mean[1], a.mean[0]).partial_cmp(&(b.mean[1], b.mean[0])).unwrap());
        all
    }

    #[test]
    fn its_density_is_one_mass_and_lies_where_the_ink_is() {
        for (drawing, name) in [(default(), "default"), (noisy(), "noisy"), (drawn(|_, _| 15), "full")] {
            let law = mixture(&drawing).unwrap();
            // Ten points along a cell: a Gaussian of half a cell is summed to rounding.
            let (points, width) = midpoints(480);
            let mut mass = 0.0;
            let mut quarters = [0.0; 4];
            for y in &points {
                for x in &points {
                    let here = law.log_density(&[*x, *y], 1.0, 0.0).exp() * width * width;
                    mass += here;
                    quarters[usize::from(*x > 0.0) + 2 * usize::from(*y > 0.0)] += here;
                }
            }
            assert!((mass - 1.0).abs() < 1e-9, "{name}: {mass}");
            // A quarter of the pad holds its share of the ink, but for what blurs over its edges.
            for (k, quarter) in quarters.iter().enumerate() {
                let inside = |at: usize| {
                    usize::from(at as u32 % SIDE >= SIDE / 2) + 2 * usize::from(at as u32 / SIDE >= SIDE / 2) == k
                };
                let shades = drawing.shades().iter().enumerate().filter(|(at, _)| inside(*at));
                let share = shades.map(|(_, s)| f64::from(*s)).sum::<f64>() / ink(&drawing);
                assert!((quarter - share).abs() < 0.02, "{name}: {quarter} of {share}");
            }
        }
    }

    #[test]
    fn a_cell_holds_its_share() {
        // Far from each other: around each cell lies its shade's share, and the density is its Gaussian.
        let shades = [(4, 4, 3), (20, 6, 15), (9, 27, 6)];
        let law = mixture(&drawn(|i, j| shades.iter().find(|s| (s.0, s.1) == (i, j)).map_or(0, |s| s.2))).unwrap();
        let cell = 4.0 / f64::from(SIDE);
        for (i, j, shade) in shades {
            let mut mass = 0.0;
            let points = || (0..80).map(|k| cell * (0.1 * (f64::from(k) + 0.5) - 4.0));
            for dy in points() {
                for dx in points() {
                    let at = [cell * (f64::from(i) + 0.5) - REACH + dx, cell * (f64::from(j) + 0.5) - REACH + dy];
                    mass += law.log_density(&at, 1.0, 0.0).exp() * (0.1 * cell).powi(2);
                }
            }
            assert!((mass - f64::from(shade) / 24.0).abs() < 1e-9, "{mass}");
        }
    }

    #[test]
    fn the_score_is_the_slope_of_the_log_density() {
        let h = 1e-5;
        for law in [mixture(&default()).unwrap(), mixture(&noisy()).unwrap()] {
            for (alpha, sigma) in [(1.0, 0.0), (0.8, 0.3), (0.2, 1.0)] {
                for at in [[0.1, -0.2], [1.3, 0.4], [-2.5, 1.9]] {
                    let score = law.score(&at, alpha, sigma);
                    for d in 0..2 {
                        let beside = |h: f64| {
                            let mut at = at;
                            at[d] += h;
                            law.log_density(&at, alpha, sigma)
                        };
                        let slope = (beside(h) - beside(-h)) / (2.0 * h);
                        // Central differences: h² times a third derivative of order 1/sd⁴, and rounding over h.
                        assert!((score[d] - slope).abs() < 1e-4 * (1.0 + slope.abs()), "{at:?}: {score:?}, {slope}");
                    }
                }
            }
        }
    }

    #[test]
    fn many_cells_become_blocks() {
        let half = drawn(|_, j| if j < SIDE / 2 { 1 + (j % 15) as u8 } else { 0 });
        assert_eq!(mixture(&half).unwrap().components().len(), MOST);
        let more = drawn(|i, j| if j < SIDE / 2 || (i, j) == (7, 21) { 1 + (j % 15) as u8 } else { 0 });
        let law = mixture(&more).unwrap();
        assert_eq!(law.components().len(), MOST / 4 + 1);
        // The block of cells 6 and 7 by 20 and 21, with the ink of the one.
        let alone = law.components().last().unwrap();
        let cell = 4.0 / f64::from(SIDE);
        assert_eq!(
            (alone.mean.clone(), alone.shape.clone()),
            (vec![7.0 * cell - REACH, 21.0 * cell - REACH], Shape::Isotropic { sd: cell })
        );
        assert!((alone.weight - 7.0 / ink(&more)).abs() < 1e-15);
    }

    #[test]
    fn without_ink_there_is_no_density() {
        let error = mixture(&Drawing::default()).expect_err("blank");
        assert!(error.message.contains("Draw something first") && error.key.as_deref() == Some(KEY), "{error:?}");
    }
}
