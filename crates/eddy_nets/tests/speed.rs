//! Prints the tracked speeds: `cargo test --release -p eddy_nets --test speed -- --ignored --nocapture`.

#[test]
#[ignore = "a measurement, not a check: timings of a shared machine prove nothing"]
fn tracked_steps() {
    println!("pinn_step_4x64 2048: {:.2} ms", 1e3 * eddy_nets::bench::pinn_step_4x64(2048, 20).unwrap());
    println!("value_step 256: {:.3} ms", 1e3 * eddy_nets::bench::value_step(256, 200).unwrap());
    println!("value_step 2048: {:.3} ms", 1e3 * eddy_nets::bench::value_step(2048, 50).unwrap());
}
