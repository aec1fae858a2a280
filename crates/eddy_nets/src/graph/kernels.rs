//! Truncated Taylor series through products, functions and Gaussians, forward and backward. Rows are
//! [component][lanes], in Taylor coefficients (derivative over factorials), so that a product is a convolution.

use super::{
    Function,
    derivatives::{Derivatives, MAX_COMPONENTS, MAX_INPUTS, MAX_ORDER},
};
use crate::{
    Real,
    functions::{sin_cos, tanh},
    lanes::Lanes,
    real::Kernel,
};

/// Taylor coefficients of a function at a number, one more than the highest order for the way back.
type Coefficients<V> = [V; MAX_ORDER + 2];

impl Function {
    /// Up to `order`, at z; `y` is the function there where it is known.
    #[inline(always)]
    fn coefficients<T: Real, V: Lanes<T>>(self, z: V, y: Option<V>, order: usize) -> Coefficients<V> {
        let number = |x: f64| V::splat(T::from_f64(x));
        let mut t = [number(0.0); MAX_ORDER + 2];
        match self {
            Self::Tanh => {
                // y′ = 1 − y², coefficient by coefficient.
                t[0] = y.unwrap_or_else(|| tanh(z));
                for k in 0..order {
                    let mut square = number(0.0);
                    for i in 0..=k {
                        square = t[i].fma(t[k - i], square);
                    }
                    let right = if k == 0 { number(1.0).sub(square) } else { number(0.0).sub(square) };
                    t[k + 1] = right.mul(number(1.0 / (k + 1) as f64));
                }
            }
            Self::Sin | Self::Cos => {
                let (sin, cos) = sin_cos(z);
                let zero = number(0.0);
                let cycle = [sin, cos, zero.sub(sin), zero.sub(cos)];
                let shift = usize::from(self == Self::Cos);
                let mut scale = 1.0;
                for (k, t) in t.iter_mut().enumerate().take(order + 1) {
                    scale /= k.max(1) as f64;
                    *t = cycle[(k + shift) % 4].mul(number(scale));
                }
            }
            Self::Exp => {
                let y = y.unwrap_or_else(|| z.map(Real::exp));
                let mut scale = 1.0;
                for (k, t) in t.iter_mut().enumerate().take(order + 1) {
                    scale /= k.max(1) as f64;
                    *t = y.mul(number(scale));
                }
            }
        }
        t
    }
}

/// Powers of a series h whose value counts as zero, from the second one on: `out[k][c]` is coefficient c of hᵏ⁺².
#[inline(always)]
fn powers<T: Real, V: Lanes<T>>(set: &Derivatives, h: &Series<V>, out: &mut [Series<V>; MAX_ORDER - 1]) {
    for one in &set.powers {
        let mut sum = V::splat(T::ZERO);
        for &(a, b) in &one.terms {
            let before = if one.power == 2 { h[b] } else { out[one.power - 3][b] };
            sum = h[a].fma(before, sum);
        }
        out[one.power - 2][one.out] = sum;
    }
}

/// Σ t_k hᵏ from the powers of h.
#[inline(always)]
fn compose<T: Real, V: Lanes<T>>(
    set: &Derivatives,
    t: &[V],
    h: &Series<V>,
    powers: &[Series<V>; MAX_ORDER - 1],
    out: &mut Series<V>,
) {
    out[0] = t[0];
    for c in 1..set.components() {
        out[c] = t[1].mul(h[c]);
    }
    for (k, power) in (2..=set.order()).zip(powers) {
        for c in set.from_order[k]..set.components() {
            out[c] = t[k].fma(power[c], out[c]);
        }
    }
}

/// Taylor coefficients of a unit, of which a set's components are used.
type Series<V> = [V; MAX_COMPONENTS];

/// A function of each unit: `y = f(x)`, or the way back, `x̄ += f′(x)ᵀ ȳ`.
pub(super) struct Apply<'a, T> {
    pub set: &'a Derivatives,
    pub function: Function,
    pub units: usize,
    pub lanes: usize,
    pub x: &'a [T],
    /// y forward; x̄ backward.
    pub out: &'a mut [T],
    /// y and ȳ on the way back.
    pub back: Option<[&'a [T]; 2]>,
}

impl<T: Real> Kernel<T> for Apply<'_, T> {
    #[inline(always)]
    fn run<V: Lanes<T>>(self) {
        let (components, lanes, order) = (self.set.components(), self.lanes, self.set.order());
        let row = components * lanes;
        let extent = self.units * row;
        assert!(lanes.is_multiple_of(8) && self.x.len() >= extent && self.out.len() >= extent);
        assert!(self.back.is_none_or(|back| back.iter().all(|b| b.len() >= extent)));
        let [mut h, mut series] = [[V::splat(T::ZERO); MAX_COMPONENTS]; 2];
        let mut powers_of = [[V::splat(T::ZERO); MAX_COMPONENTS]; MAX_ORDER - 1];
        for unit in 0..self.units {
            let mut i = unit * row;
            let end = i + lanes;
            while i < end {
                // SAFETY: the extents are checked above, and lanes is a multiple of every V::N.
                unsafe {
                    let x = self.x.as_ptr().add(i);
                    let out = self.out.as_mut_ptr().add(i);
                    for (c, h) in h.iter_mut().enumerate().take(components) {
                        *h = V::load(x.add(c * lanes));
                    }
                    powers(self.set, &h, &mut powers_of);
                    if let Some([y, adjoints]) = self.back {
                        let mut t = self.function.coefficients(h[0], Some(V::load(y.as_ptr().add(i))), order + 1);
                        for k in 0..=order {
                            t[k] = t[k + 1].mul(V::splat(T::from_f64((k + 1) as f64)));
                        }
                        compose::<T, V>(self.set, &t, &h, &powers_of, &mut series);
                        let adjoints = adjoints.as_ptr().add(i);
                        for &(o, a, b) in &self.set.products {
                            let sum = V::load(adjoints.add(o * lanes)).fma(series[b], V::load(out.add(a * lanes)));
                            sum.store(out.add(a * lanes));
                        }
                    } else {
                        let t = self.function.coefficients(h[0], None, order);
                        compose::<T, V>(self.set, &t, &h, &powers_of, &mut series);
                        for (c, y) in series.iter().enumerate().take(components) {
                            y.store(out.add(c * lanes));
                        }
                    }
                }
                i += V::N;
            }
        }
    }
}

/// out += x ⋆ y, or with `transposed` out_a += x_o · y_b: the way back of a product. Row by row, where `stride` 0 repeats
/// one row of that operand.
pub(super) struct Multiply<'a, T> {
    pub set: &'a Derivatives,
    pub lanes: usize,
    pub units: usize,
    pub x: &'a [T],
    pub y: &'a [T],
    pub out: &'a mut [T],
    /// Rows to move on per unit in x, y and out: 0 or 1.
    pub strides: [usize; 3],
    pub transposed: bool,
}

impl<T: Real> Kernel<T> for Multiply<'_, T> {
    #[inline(always)]
    fn run<V: Lanes<T>>(self) {
        let lanes = self.lanes;
        let row = self.set.components() * lanes;
        let extent = |stride: usize| (1 + stride * self.units.saturating_sub(1)) * row;
        assert!(lanes.is_multiple_of(8));
        let [sx, sy, so] = self.strides;
        assert!(self.x.len() >= extent(sx) && self.y.len() >= extent(sy) && self.out.len() >= extent(so));
        for unit in 0..self.units {
            let mut i = 0;
            while i < lanes {
                // SAFETY: the extents are checked above, and lanes is a multiple of every V::N.
                unsafe {
                    let x = self.x.as_ptr().add(unit * sx * row + i);
                    let y = self.y.as_ptr().add(unit * sy * row + i);
                    let out = self.out.as_mut_ptr().add(unit * so * row + i);
                    for &(o, a, b) in &self.set.products {
                        let (left, to) = if self.transposed { (o, a) } else { (a, o) };
                        let sum =
                            V::load(x.add(left * lanes)).fma(V::load(y.add(b * lanes)), V::load(out.add(to * lanes)));
                        sum.store(out.add(to * lanes));
                    }
                }
                i += V::N;
            }
        }
    }
}

/// Gaussians exp(−½ Σ_d ((x_d − μ_d)/σ_d)²) of the coordinates, each a product of one-dimensional ones whose derivatives
/// follow g⁽ᵐ⁺¹⁾ = −((x − μ) g⁽ᵐ⁾ + m g⁽ᵐ⁻¹⁾)/σ². On the way back ∂g/∂μ = −g′ and, since a Gaussian solves the heat
/// equation in σ, ∂g⁽ᵐ⁾/∂σ = σ g⁽ᵐ⁺²⁾ + g⁽ᵐ⁾/σ.
pub(super) struct Gaussians<'a, T> {
    pub set: &'a Derivatives,
    pub units: usize,
    pub lanes: usize,
    /// [inputs][lanes]
    pub points: &'a [T],
    /// Per unit: the centre, then the logarithms of the widths.
    pub parameters: &'a [T],
    /// Rows to write.
    pub out: Option<&'a mut [T]>,
    /// The way back: adjoints of the rows, and the gradient of `parameters` to add to.
    pub back: Option<(&'a [T], &'a mut [T])>,
}

/// Derivatives of a one-dimensional Gaussian, to two orders above the highest carried.
const STEPS: usize = MAX_ORDER + 3;

impl<T: Real> Kernel<T> for Gaussians<'_, T> {
    #[inline(always)]
    fn run<V: Lanes<T>>(mut self) {
        let (inputs, components, lanes) = (self.set.inputs(), self.set.components(), self.lanes);
        let row = components * lanes;
        assert!(lanes.is_multiple_of(8) && self.points.len() >= inputs * lanes);
        assert!(self.parameters.len() >= 2 * inputs * self.units);
        assert!(self.out.as_ref().is_none_or(|o| o.len() >= self.units * row));
        assert!(self.back.as_ref().is_none_or(|(a, _)| a.len() >= self.units * row));
        let zero = V::splat(T::ZERO);
        let highest = self.set.order() + if self.back.is_some() { 2 } else { 0 };
        let mut scale = [T::ZERO; MAX_COMPONENTS];
        for (c, scale) in scale.iter_mut().enumerate().take(components) {
            *scale = T::from_f64(1.0 / self.set.factorial(c));
        }
        for unit in 0..self.units {
            let parameters = &self.parameters[unit * 2 * inputs..][..2 * inputs];
            let mut sums = [[zero; 2]; MAX_INPUTS];
            let mut width = [T::ONE; MAX_INPUTS];
            for d in 0..inputs {
                width[d] = parameters[inputs + d].exp();
            }
            let mut i = 0;
            while i < lanes {
                let mut g = [[zero; STEPS]; MAX_INPUTS];
                for d in 0..inputs {
                    // SAFETY: checked above.
                    let x = unsafe { V::load(self.points.as_ptr().add(d * lanes + i)) }.sub(V::splat(parameters[d]));
                    let inverse = V::splat(T::ONE / (width[d] * width[d]));
                    let slope = zero.sub(x.mul(inverse));
                    g[d][0] = slope.mul(x).mul(V::splat(T::from_f64(0.5))).map(Real::exp);
                    for m in 0..highest {
                        let before = if m == 0 { zero } else { g[d][m - 1].mul(V::splat(T::from_f64(m as f64))) };
                        g[d][m + 1] = slope.mul(g[d][m]).sub(before.mul(inverse));
                    }
                }
                for c in 0..components {
                    let orders = self.set.orders(c);
                    let at = unit * row + c * lanes + i;
                    // The product over the coordinates but `skip`.
                    let others = |skip: usize| {
                        let mut product = V::splat(scale[c]);
                        for (d, order) in orders.iter().enumerate() {
                            if d != skip {
                                product = product.mul(g[d][*order]);
                            }
                        }
                        product
                    };
                    if let Some(out) = &mut self.out {
                        // SAFETY: checked above.
                        unsafe { others(usize::MAX).store(out.as_mut_ptr().add(at)) };
                    }
                    if let Some((adjoints, _)) = &self.back {
                        // SAFETY: checked above.
                        let adjoint = unsafe { V::load(adjoints.as_ptr().add(at)) };
                        for (d, sums) in sums.iter_mut().enumerate().take(inputs) {
                            let weight = adjoint.mul(others(d));
                            let m = orders[d];
                            sums[0] = sums[0].sub(weight.mul(g[d][m + 1]));
                            // With respect to ln σ: σ² g⁽ᵐ⁺²⁾ + g⁽ᵐ⁾.
                            let slope = V::splat(width[d] * width[d]).fma(g[d][m + 2], g[d][m]);
                            sums[1] = weight.fma(slope, sums[1]);
                        }
                    }
                }
                i += V::N;
            }
            if let Some((_, gradient)) = &mut self.back {
                for d in 0..inputs {
                    gradient[unit * 2 * inputs + d] += sums[d][0].sum();
                    gradient[unit * 2 * inputs + inputs + d] += sums[d][1].sum();
                }
            }
        }
    }
}
