use super::*;

#[test]
fn the_two_methods_differ_in_where_jumps_start_alone() {
    let p = Params { reach: 0.7, ..Params::default() };
    let [ramp, end] = [Method::SubPath, Method::Consistency].map(|method| Params { method, ..p.clone() }.setup());
    assert_eq!((ramp.reach, end.reach), (Some(0.7), None));
    assert_eq!((ramp.stages, ramp.skip, ramp.warm_up), (end.stages, end.skip, end.warm_up));
}
