//! The table [target] of the file.

use eddy_experiments::{
    labs::sampler::diffusion::{Component, Mixture, Shape, shape_of, targets},
    spec::EddyError,
};
use toml::Value;

use super::toml_reader::Section;

const KINDS: [&str; 8] = [
    "gaussian-mixture",
    "eight-gaussians",
    "two-moons",
    "checkerboard",
    "spiral",
    "swiss-roll",
    "pinwheel",
    "three-gaussians",
];

/// The mixture that is sampled.
pub fn target(s: &Section) -> Result<Mixture, EddyError> {
    let kind = s.choice_or("kind", &KINDS, &[("8-gaussians", "eight-gaussians"), ("gmm", "gaussian-mixture")])?;
    let mixture = if kind == "gaussian-mixture" {
        gaussian_mixture(s)?
    } else {
        let sd = s.positive("sd")?;
        let radius = if kind == "eight-gaussians" { s.positive("radius")? } else { None };
        match kind {
            "eight-gaussians" => targets::ring(8, radius.unwrap_or(2.0), sd.unwrap_or(0.2)),
            "two-moons" => targets::two_moons(sd.unwrap_or(0.1)),
            "checkerboard" => targets::checkerboard(sd.unwrap_or(0.1)),
            "spiral" => targets::spiral(sd.unwrap_or(0.05)),
            "swiss-roll" => targets::swiss_roll(sd.unwrap_or(0.05)),
            "pinwheel" => targets::pinwheel(sd.unwrap_or(0.1)),
            _ if sd.is_some() => return Err(s.refused("sd", "three-gaussians has widths of its own")),
            _ => targets::three(),
        }
    };
    s.finish()?;
    Ok(mixture)
}

/// The most dimensions of a mixture: beyond them the exact score of full covariances is too slow to be of use.
const MAX_DIMENSIONS: usize = 64;

fn gaussian_mixture(s: &Section) -> Result<Mixture, EddyError> {
    let means =
        s.list("means")?.ok_or_else(|| s.refused("means", "a gaussian-mixture needs its means, one list each"))?;
    let mut components = Vec::new();
    let mut dim = 0;
    for (k, mean) in means.iter().enumerate() {
        let key = format!("means[{k}]");
        let mean = match mean {
            Value::Array(list) => s.numbers_of(&key, list)?,
            _ => return Err(s.refused(&key, "a mean is a list of numbers, one for each dimension")),
        };
        if k == 0 {
            dim = mean.len();
        }
        if mean.len() != dim || !(1..=MAX_DIMENSIONS).contains(&dim) {
            let what = format!(
                "a mean has between 1 and {MAX_DIMENSIONS} numbers and all means as many; this one has {} and the first {dim}",
                mean.len()
            );
            return Err(s.refused(&key, what));
        }
        components.push(Component { weight: 1.0, mean, shape: Shape::Isotropic { sd: 1.0 }, class: k as u32 });
    }
    let count = components.len();
    if count == 0 {
        return Err(s.refused("means", "there must be at least one component"));
    }
    let as_many = |key: &str, given: usize| {
        if given == count {
            return Ok(());
        }
        Err(s.refused(key, format!("there are {given} for {count} means; give one for each")))
    };
    if let Some(weights) = s.numbers("weights")? {
        as_many("weights", weights.len())?;
        for (k, w) in weights.iter().enumerate() {
            if *w <= 0.0 {
                let what = format!("a weight must be above 0, not {w}; leave the component out instead");
                return Err(s.refused(&format!("weights[{k}]"), what));
            }
            components[k].weight = *w;
        }
    }
    if let Some(classes) = s.numbers("classes")? {
        as_many("classes", classes.len())?;
        for (k, class) in classes.iter().enumerate() {
            if *class < 0.0 || class.fract() != 0.0 || *class > 1e6 {
                return Err(s.refused(&format!("classes[{k}]"), "a class is a whole number from 0"));
            }
            components[k].class = *class as u32;
        }
    }
    let (covariances, sds) = (s.list("covariances")?, s.numbers("sds")?);
    match (covariances, sds) {
        (Some(_), Some(_)) => return Err(s.refused("sds", "give covariances or sds, not both")),
        (None, None) => return Err(s.refused("covariances", "a gaussian-mixture needs covariances (or sds)")),
        (None, Some(sds)) => {
            as_many("sds", sds.len())?;
            for (k, sd) in sds.into_iter().enumerate() {
                if sd <= 0.0 {
                    return Err(s.refused(&format!("sds[{k}]"), format!("a width must be above 0, not {sd}")));
                }
                components[k].shape = Shape::Isotropic { sd };
            }
        }
        (Some(list), None) => {
            as_many("covariances", list.len())?;
            for (k, value) in list.iter().enumerate() {
                let key = format!("covariances[{k}]");
                components[k].shape = covariance(s, &key, value, dim)?;
            }
        }
    }
    Mixture::new(dim, components).map_err(|e| s.refused("means", e))
}

/// A covariance as a matrix, or as one variance for all dimensions.
fn covariance(s: &Section, key: &str, value: &Value, dim: usize) -> Result<Shape, EddyError> {
    let mut matrix = Vec::new();
    match value {
        Value::Array(rows) => {
            if rows.len() != dim {
                return Err(s.refused(
                    key,
                    format!("this must have {dim} rows, as the means have numbers, not {}", rows.len()),
                ));
            }
            for (i, row) in rows.iter().enumerate() {
                let Value::Array(row) = row else {
                    return Err(s.refused(key, "a covariance is a list of rows: [[…], […]]"));
                };
                if row.len() != dim {
                    return Err(s.refused(
                        &format!("{key}[{i}]"),
                        format!("this row must have {dim} numbers, not {}", row.len()),
                    ));
                }
                matrix.extend(s.numbers_of(&format!("{key}[{i}]"), row)?);
            }
        }
        other => {
            let variance = s.numbers_of(key, std::slice::from_ref(other))?[0];
            matrix = (0..dim * dim).map(|k| if k / dim == k % dim { variance } else { 0.0 }).collect();
        }
    }
    shape_of(&matrix, dim).map_err(|e| s.refused(key, e))
}
