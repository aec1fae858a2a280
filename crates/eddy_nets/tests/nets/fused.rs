//! The dispatch to fused products and the check before they are used, with functions written here in place of the module's
//! (which the page's tests run: tests/web/fused.spec.ts).

use eddy_nets::{
    Activation, Architecture, Engine, JetSpec, Level, Network, Real,
    fused::{Format, Fused, install, is_installed},
    graph::{Derivatives, Function, Graph, GraphEngine, NormalEquations, RowTile},
    uniform,
};

/// Number `i` from address `at` on.
unsafe fn number<T: Copy>(at: usize, i: usize) -> T {
    unsafe { *(at as *const T).add(i) }
}

unsafe fn product<T: Real>([a, a_row, a_column, b, c, rows, inner, n]: [usize; 8]) {
    let size = size_of::<T>();
    for r in 0..rows {
        for x in 0..n / size {
            let terms =
                (0..inner).map(|k| unsafe { number::<T>(a + r * a_row + k * a_column, 0) * number::<T>(b + k * n, x) });
            let sum = terms.fold(T::ZERO, |sum, term| sum + term);
            unsafe { *((c + r * n) as *mut T).add(x) = sum };
        }
    }
}

unsafe fn transposed<T: Real>([a, b, c, rows, columns, n, c_row]: [usize; 7]) {
    for r in 0..rows {
        for x in 0..columns {
            let terms =
                (0..n / size_of::<T>()).map(|i| unsafe { number::<T>(a + r * n, i) * number::<T>(b + x * n, i) });
            let sum = terms.fold(T::ZERO, |sum, term| sum + term);
            unsafe { *((c + r * c_row) as *mut T).add(x) += sum };
        }
    }
}

unsafe fn tanh<T: Real>([x, x_row, y, y_row, bias, rows, n, _]: [usize; 8]) {
    for r in 0..rows {
        for i in 0..n / size_of::<T>() {
            let sum = unsafe { number::<T>(x + r * x_row, i) + number::<T>(bias, r) };
            unsafe { *((y + r * y_row) as *mut T).add(i) = T::from_f64(sum.to_f64().tanh()) };
        }
    }
}

fn right_product(format: Format, given: [usize; 8]) {
    assert!(given[5] > 0 && given[5].is_multiple_of(4) && given[6] > 0 && given[7].is_multiple_of(32));
    // SAFETY: the caller's matrices.
    unsafe {
        match format {
            Format::F32 => product::<f32>(given),
            Format::F64 => product::<f64>(given),
        }
    }
}

fn right_transposed(format: Format, given: [usize; 7]) {
    assert!(given[3] > 0 && given[3].is_multiple_of(4) && given[4] > 0 && given[4].is_multiple_of(2));
    // SAFETY: the caller's matrices.
    unsafe {
        match format {
            Format::F32 => transposed::<f32>(given),
            Format::F64 => transposed::<f64>(given),
        }
    }
}

fn right_tanh(format: Format, given: [usize; 8]) {
    assert!(given[5] > 0 && given[6] > 0 && given[6].is_multiple_of(16));
    // SAFETY: the caller's rows.
    unsafe {
        match format {
            Format::F32 => tanh::<f32>(given),
            Format::F64 => tanh::<f64>(given),
        }
    }
}

/// Leaves the biases out.
fn faulty_tanh(format: Format, mut given: [usize; 8]) {
    given[4] = [0.0f64; 16].as_ptr() as usize;
    right_tanh(format, given);
}

/// Leaves the last row of four out.
fn faulty_product(format: Format, mut given: [usize; 8]) {
    given[5] -= 1;
    // SAFETY: fewer rows of the caller's matrices.
    unsafe {
        match format {
            Format::F32 => product::<f32>(given),
            Format::F64 => product::<f64>(given),
        }
    }
}

/// Sets instead of adding.
fn faulty_transposed(format: Format, given: [usize; 7]) {
    if format == Format::F64 {
        for r in 0..given[3] {
            // SAFETY: rows of the caller's matrix.
            unsafe { ((given[2] + r * given[6]) as *mut f64).write_bytes(0, given[4]) };
        }
    }
    right_transposed(format, given);
}

fn gradient<T: Real>(hidden: &[usize], level: Level) -> (f64, Vec<f64>) {
    let jets = JetSpec::value(2).along(0).along(1).second(1, 1);
    let network = Network::<T>::new(Architecture::dense(2, hidden, 1, Activation::Tanh), 3).unwrap();
    let points: Vec<T> = (0..2 * 21).map(|i| T::from_f64(2.0 * uniform(5, i) - 1.0)).collect();
    let mut engine = Engine::with(&network, &jets, 16, level).unwrap();
    let mut gradient = vec![T::ZERO; network.parameters.len()];
    let loss = engine.gradient(&network, &points, &mut gradient, |tile| {
        let mut loss = 0.0;
        for c in 0..4 {
            for i in 0..tile.len {
                let u = tile.jet(0, c)[i];
                loss += u.to_f64().powi(2);
                tile.adjoint(0, c)[i] = u + u;
            }
        }
        loss
    });
    (loss, gradient.into_iter().map(Real::to_f64).collect())
}

/// Lower triangle of JᵀJ of the values of a network at so many points that most of them come in whole rows.
fn gram(level: Level) -> Vec<f64> {
    let mut graph = Graph::new(1);
    let x = graph.coordinates();
    graph.mlp(x, &[9], 1, Function::Tanh);
    let parameters: Vec<f64> = graph.start(4).unwrap();
    let points: Vec<f64> = (0..300).map(|i| 2.0 * uniform(5, i) - 1.0).collect();
    let mut engine = GraphEngine::with(&graph, &Derivatives::all(1, 0).unwrap(), 64, level).unwrap();
    let mut equations = NormalEquations::with(parameters.len(), level);
    let write = |rows: &mut RowTile<'_, '_, f64>, _: usize| rows.tile.adjoint(0, 0).fill(1.0);
    engine.rows(&parameters, &points, 1, write, |rows| equations.add(rows));
    equations.finish();
    let n = parameters.len();
    (0..n).flat_map(|i| equations.gram[i * n..i * n + i + 1].to_vec()).collect()
}

#[test]
fn only_right_functions_are_used_and_they_give_the_same_gradients() {
    let good = Fused { product: right_product, add_product_transposed: right_transposed, tanh: right_tanh };
    for bad in [
        Fused { product: faulty_product, ..good },
        Fused { add_product_transposed: faulty_transposed, ..good },
        Fused { tanh: faulty_tanh, ..good },
    ] {
        // SAFETY: they touch what they are given.
        assert!(!unsafe { install(bad) } && !is_installed());
        assert!(!Level::available().contains(&Level::Fused));
    }
    // SAFETY: as above.
    assert!(unsafe { install(good) } && is_installed());
    // Widths with and without rows and columns that are left over.
    for hidden in [&[64, 64][..], &[7, 50, 3], &[4, 2], &[1, 5]] {
        let (loss, expected) = gradient::<f64>(hidden, Level::Portable);
        let (fused_loss, fused) = gradient::<f64>(hidden, Level::Fused);
        let size = expected.iter().fold(0.0f64, |m, g| m.max(g.abs()));
        let worst = expected.iter().zip(&fused).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!((loss - fused_loss).abs() < 1e-12 * loss && worst < 1e-12 * size, "{hidden:?}: {worst}");
        let (_, single) = gradient::<f32>(hidden, Level::Fused);
        let worst = expected.iter().zip(&single).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        // Single precision is used, and is all that differs.
        assert!(worst < 1e-4 * size && worst > 0.0, "{hidden:?}: {worst}");
    }
    let (fused, plain) = (gram(Level::Fused), gram(Level::Portable));
    let worst = fused.iter().zip(&plain).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-11 && plain.iter().any(|v| v.abs() > 1.0), "{worst:e}");
}
