//! Which partial derivatives a graph carries, and how truncated Taylor series of them multiply.

use crate::NetError;

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
    /// How many of `products` reach at most each order.
    pub(crate) products_to: [usize; MAX_ORDER + 1],
    order: usize,
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
        let mut products_to = [0; MAX_ORDER + 1];
        for (out, o) in orders.iter().enumerate() {
            for (a, p) in orders.iter().enumerate() {
                let b = orders.iter().position(|q| (0..MAX_INPUTS).all(|d| p[d] + q[d] == o[d]));
                products.extend(b.map(|b| (out, a, b)));
            }
            products_to[o.iter().sum::<usize>()..].fill(products.len());
        }
        Ok(Self { inputs, orders, products, products_to, order })
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
    /// Product of the factorials of component `c`'s orders: derivative = this · Taylor coefficient.
    pub(crate) fn factorial(&self, c: usize) -> f64 {
        self.orders[c].iter().map(|o| (1..=*o).product::<usize>() as f64).product()
    }
}
