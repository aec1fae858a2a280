//! Which partial derivatives a graph carries, and how truncated Taylor series of them multiply.

use crate::{JetSpec, NetError};

/// Highest order of a derivative.
pub const MAX_ORDER: usize = 4;
/// Most coordinates.
pub const MAX_INPUTS: usize = 4;
/// Derivatives to order 4 in four variables: 70 = 8!/(4!·4!).
pub(crate) const MAX_COMPONENTS: usize = 70;

/// A set of partial derivatives, closed downwards: whoever needs u_xxt also gets u_xx, u_xt, u_x, u_t and u. Component 0
/// is the value.
///
/// (u, u_t, u_x, u_xx) of u(t, x) is `Derivatives::new(2, &[&[1, 0], &[0, 2]])`; `component(&[0, 2])` finds u_xx.
#[derive(Clone, Debug, PartialEq)]
pub struct Derivatives {
    inputs: usize,
    /// Orders along each coordinate, by rising total order.
    orders: Vec<[usize; MAX_INPUTS]>,
    /// (out, a, b): Taylor coefficient `a` times `b` counts towards `out`. By rising total order of `out`.
    pub(crate) products: Vec<(usize, usize, usize)>,
    /// The powers of a series without its value: of h², h³ and h⁴, by rising power.
    pub(crate) powers: Vec<Power>,
    /// By order: the first component of it or more.
    pub(crate) from_order: [usize; MAX_ORDER + 2],
    order: usize,
}

/// One Taylor coefficient of a power of a series h whose value is taken as zero.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Power {
    pub power: usize,
    pub out: usize,
    /// Coefficients of h and of the power before: their products add up to it.
    pub terms: Vec<(usize, usize)>,
}

impl Derivatives {
    /// The closure of `wanted`, each entry being the orders along the coordinates. At most 4 coordinates and order 4.
    pub fn new(inputs: usize, wanted: &[&[usize]]) -> Result<Self, NetError> {
        let order = wanted.iter().map(|w| w.iter().sum()).max().unwrap_or(0);
        if inputs == 0 {
            return Err(NetError::Empty { what: "inputs" });
        }
        if inputs > MAX_INPUTS || order > MAX_ORDER {
            return Err(NetError::TooManyDerivatives { inputs, order });
        }
        if let Some(w) = wanted.iter().find(|w| w.len() != inputs) {
            return Err(NetError::Directions { have: w.len(), need: inputs });
        }
        let below = |o: &[usize; MAX_INPUTS]| wanted.iter().any(|w| w.iter().zip(o).all(|(w, o)| o <= w));
        let every = |n| (0..=order).map(move |i| (n, i));
        let mut orders = Vec::new();
        for (_, i) in every(0) {
            for (_, j) in every(1) {
                for (_, k) in every(2) {
                    for (_, l) in every(3) {
                        let o = [i, j, k, l];
                        if i + j + k + l == 0 || (o[inputs..].iter().all(|o| *o == 0) && below(&o)) {
                            orders.push(o);
                        }
                    }
                }
            }
        }
        orders.sort_by_key(|o| (o.iter().sum::<usize>(), std::cmp::Reverse(*o)));
        let mut products = Vec::new();
        for (out, o) in orders.iter().enumerate() {
            for (a, p) in orders.iter().enumerate() {
                let b = orders.iter().position(|q| (0..MAX_INPUTS).all(|d| p[d] + q[d] == o[d]));
                products.extend(b.map(|b| (out, a, b)));
            }
        }
        let total = |c: usize| orders[c].iter().sum::<usize>();
        let mut from_order = [orders.len(); MAX_ORDER + 2];
        for c in (0..orders.len()).rev() {
            from_order[..=total(c)].fill(c);
        }
        let mut powers = Vec::new();
        for power in 2..=order {
            for out in from_order[power]..orders.len() {
                // h begins with first order, the power before with order `power` - 1.
                let counts = |a: usize, b: usize| total(a) >= 1 && total(b) + 1 >= power;
                let of_out = products.iter().filter(|(o, a, b)| *o == out && counts(*a, *b));
                powers.push(Power { power, out, terms: of_out.map(|(_, a, b)| (*a, *b)).collect() });
            }
        }
        Ok(Self { inputs, orders, products, powers, from_order, order })
    }
    /// All derivatives up to `order`.
    pub fn all(inputs: usize, order: usize) -> Result<Self, NetError> {
        if inputs > MAX_INPUTS || order > MAX_ORDER {
            return Err(NetError::TooManyDerivatives { inputs, order });
        }
        let mut wanted = Vec::new();
        for k in 0..(order + 1).pow(inputs as u32) {
            let orders: Vec<usize> = (0..inputs).map(|d| k / (order + 1).pow(d as u32) % (order + 1)).collect();
            if orders.iter().sum::<usize>() == order {
                wanted.push(orders);
            }
        }
        Self::new(inputs, &wanted.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    pub fn inputs(&self) -> usize {
        self.inputs
    }
    /// How many components.
    pub fn components(&self) -> usize {
        self.orders.len()
    }
    /// Highest order.
    pub fn order(&self) -> usize {
        self.order
    }
    /// Orders along the coordinates of component `c`.
    pub fn orders(&self, c: usize) -> &[usize] {
        &self.orders[c][..self.inputs]
    }
    /// The component with these orders, if it is carried.
    pub fn component(&self, orders: &[usize]) -> Option<usize> {
        self.orders.iter().position(|o| &o[..self.inputs] == orders)
    }
    /// The same components in the same order, of functions in Taylor coefficients: (f∘h)_xx/2 is f′ h_xx/2 + f″/2 h_x². None
    /// above second order.
    pub(crate) fn jets(&self) -> Option<JetSpec> {
        if self.order > 2 {
            return None;
        }
        let of_order = |order: usize| self.orders.iter().filter(move |o| o.iter().sum::<usize>() == order);
        let mut jets = JetSpec::value(self.inputs);
        for orders in of_order(1) {
            jets = jets.direction(orders[..self.inputs].iter().map(|o| *o as f64).collect());
        }
        for orders in of_order(2) {
            let mut along = orders.iter().enumerate().flat_map(|(d, o)| std::iter::repeat_n(d, *o));
            let mut direction = || {
                let d = along.next()?;
                of_order(1).position(|first| first[d] == 1)
            };
            let (a, b) = (direction()?, direction()?);
            let factor = if a == b { 0.5 } else { 1.0 };
            jets = jets.operator(&vec![0.0; self.inputs], &[(a, b, factor)]);
        }
        Some(jets)
    }
    /// Product of the factorials of component `c`'s orders: derivative = this · Taylor coefficient.
    pub(crate) fn factorial(&self, c: usize) -> f64 {
        self.orders[c].iter().map(|o| (1..=*o).product::<usize>() as f64).product()
    }
}
