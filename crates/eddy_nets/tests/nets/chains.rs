//! Dense networks within a graph, through which fewer components go than the graph carries, against the sum of what single
//! points have, for which every node is gone through.

use eddy_nets::{
    Level,
    graph::{Derivatives, Function, Graph, GraphEngine, RowTile},
    normal,
};

#[test]
fn gradients_through_dense_networks_are_the_sums_of_rows() {
    let build = |kind: usize| {
        let mut graph = Graph::new(2);
        let coordinates = graph.coordinates();
        let periodic = graph.fixed(coordinates, &[vec![0.0, 2.0]], &[0.3]);
        let wave = graph.apply(periodic, Function::Sin);
        match kind {
            // Alone; times a distance; two of them, one on trained layers; of sines.
            0 => graph.mlp(coordinates, &[9, 16], 1, Function::Tanh),
            1 => {
                let u = graph.mlp(wave, &[8, 8, 8], 1, Function::Tanh);
                graph.multiply(wave, u)
            }
            2 => {
                let u = graph.mlp(coordinates, &[7, 5], 3, Function::Tanh);
                let v = graph.mlp(u, &[6], 1, Function::Tanh);
                let w = graph.mlp(wave, &[6, 4], 1, Function::Sin);
                graph.multiply(v, w)
            }
            _ => graph.mlp(wave, &[12, 12], 1, Function::Sin),
        };
        graph
    };
    let set = Derivatives::new(2, &[&[1, 0], &[0, 2]]).unwrap();
    let points: Vec<f64> = (0..2 * 77).map(|k| 0.8 * normal(8, k).sin()).collect();
    for kind in 0..4 {
        let graph = build(kind);
        let parameters: Vec<f64> = graph.start(3).unwrap();
        for lanes in [16, 64] {
            let mut engine = GraphEngine::<f64>::with(&graph, &set, lanes, Level::best()).unwrap();
            let components = set.components();
            let mut gradient = vec![0.0; parameters.len()];
            let loss = engine.add_gradient(&parameters, &points, &mut gradient, |tile| {
                let mut sum = 0.0;
                for c in 0..components {
                    for i in 0..tile.len {
                        let (value, factor) = (tile.jet(0, c)[i], 1.0 + c as f64);
                        sum += factor * value * value;
                        tile.adjoint(0, c)[i] = 2.0 * factor * value;
                    }
                }
                sum
            });
            let (mut want, mut sum) = (vec![0.0; parameters.len()], 0.0);
            let write = |rows: &mut RowTile<'_, '_, f64>, c: usize| {
                let tile = &mut rows.tile;
                for i in 0..tile.len {
                    rows.residuals[i] = tile.jet(0, c)[i];
                    tile.adjoint(0, c)[i] = 1.0;
                }
            };
            engine.rows(&parameters, &points, components, write, |rows| {
                let factor = 1.0 + rows.residual as f64;
                sum += rows.residuals.iter().map(|r| factor * r * r).sum::<f64>();
                for (p, want) in want.iter_mut().enumerate() {
                    let products = rows.residuals.iter().zip(rows.slopes(p)).map(|(r, s)| 2.0 * factor * r * s);
                    *want += products.sum::<f64>();
                }
            });
            let scale = want.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
            let error =
                |want: &[f64]| want.iter().zip(&gradient).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / scale;
            assert!((loss - sum).abs() < 1e-12 * sum && error(&want) < 1e-12, "{kind} {lanes}: {:e}", error(&want));
            // Planted fault: one entry off by a millionth of a millionth more than that.
            want[3] += 3e-12 * scale;
            assert!(error(&want) > 1e-12, "a wrong entry must be seen");
        }
    }
}
