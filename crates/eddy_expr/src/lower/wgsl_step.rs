//! WGSL compute shaders for whole stages of explicit methods in time: a program's rates and what a stage does with them, in
//! one pass over memory.
//!
//! Bindings of group 0: 0 uniform `Stage`; 1 `array<f32>` uniforms, sets of [`Program::uniform_values`] followed by x of
//! the first point, spacing in x, the same for y and z; 2 state at which the rates are taken; 3 state at the start of the
//! step; 4 sum over the stages; 5 what comes next. States hold one plane of nx·ny·nz points per output of the program.
//!
//! `Stage` is a `vec4<u32>` (nx, ny, nz, start of the uniforms' set), a `vec4<f32>` `next` and a `vec4<f32>` `sum`.

use std::fmt::Write;

use super::wgsl::{PointCode, WgslError, WgslOptions, coordinates, point_code, workgroup};
use crate::program::{Operand, Program};

/// What a stage does with the rates f(state).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// next ← next.x · start + next.y · state + next.z · sum + next.w · f; with `has_sum` also
    /// sum ← sum.x · start + sum.y · sum + sum.z · f. Factors of zero are not multiplied, so that what is not finite stays out.
    RungeKutta { has_sum: bool },
    /// For pairs (u, v) of planes with u_t = v: v ← v + next.x · f_v, then u ← u + next.y · v with the new v.
    Verlet { pairs: Vec<(u16, u16)> },
}

/// A shader of stages.
#[derive(Clone, Debug)]
pub struct StepOptions {
    pub grid: WgslOptions,
    pub update: Update,
    /// By slot of the program, the plane of the state; planes are in the order of the outputs.
    pub planes: Vec<u16>,
    /// By output, axis, and low and high side: the values there do not change.
    pub held: Vec<[[bool; 2]; 3]>,
}

/// The shader; entry point `main`, one invocation per point.
///
/// # Errors
/// [`WgslError`] for what single precision on a device cannot do.
pub fn step_shader(program: &Program, options: &StepOptions) -> Result<String, WgslError> {
    let plane = |slot: u16| options.planes.get(usize::from(slot)).copied().map_or(u32::from(slot), u32::from);
    let PointCode { body, outputs, helpers } = point_code(program, &options.grid, plane, "stage.grid.w + ")?;
    let mut ending = String::new();
    for (index, rate) in outputs.iter().enumerate() {
        let held = options.held.get(index).map_or_else(|| "false".into(), held_points);
        writeln!(ending, "    let at{index} = {index}u * cells + cell;").ok();
        writeln!(ending, "    let rate{index} = {rate};").ok();
        writeln!(ending, "    let held{index} = {held};").ok();
    }
    match &options.update {
        Update::RungeKutta { has_sum } => {
            for index in 0..outputs.len() {
                ending.push_str(&runge_kutta(index, *has_sum));
            }
        }
        Update::Verlet { pairs } => {
            for (u, v) in pairs {
                write!(
                    ending,
                    "    let v{v} = state[at{v}] + select(stage.next.x * rate{v}, 0.0f, held{v});
    next[at{v}] = v{v};
    next[at{u}] = state[at{u}] + select(stage.next.y * v{v}, 0.0f, held{u});
"
                )
                .ok();
            }
        }
    }
    let coordinates = coordinates(program, "stage.grid.w + ");
    let [wx, wy, wz] = workgroup(options.grid.dimension);
    Ok(format!(
        "struct Stage {{
    grid: vec4<u32>,
    next: vec4<f32>,
    sum: vec4<f32>,
}}
@group(0) @binding(0) var<uniform> stage: Stage;
@group(0) @binding(1) var<storage, read> uniforms: array<f32>;
@group(0) @binding(2) var<storage, read> state: array<f32>;
@group(0) @binding(3) var<storage, read> start: array<f32>;
@group(0) @binding(4) var<storage, read_write> sum: array<f32>;
@group(0) @binding(5) var<storage, read_write> next: array<f32>;
{helpers}
@compute @workgroup_size({wx}, {wy}, {wz})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
    let grid = stage.grid;
    if (id.x >= grid.x || id.y >= grid.y || id.z >= grid.z) {{
        return;
    }}
    let cells = grid.x * grid.y * grid.z;
    let cell = id.x + grid.x * (id.y + grid.y * id.z);
{coordinates}{body}{ending}}}
"
    ))
}

/// The last lines of a Runge-Kutta stage for one plane.
fn runge_kutta(index: usize, has_sum: bool) -> String {
    let mut text = format!("    if (held{index}) {{\n        next[at{index}] = state[at{index}];\n");
    if has_sum {
        writeln!(text, "        sum[at{index}] = state[at{index}];").ok();
    }
    write!(text, "    }} else {{\n        var next{index} = stage.next.w * rate{index};\n").ok();
    let sum: &[(&str, &str)] = if has_sum { &[("z", "sum")] } else { &[] };
    for (factor, array) in [("x", "start"), ("y", "state")].iter().chain(sum) {
        writeln!(
            text,
            "        if (stage.next.{factor} != 0.0f) {{ next{index} += stage.next.{factor} * {array}[at{index}]; }}"
        )
        .ok();
    }
    if has_sum {
        write!(
            text,
            "        var sum{index} = stage.sum.z * rate{index};
        if (stage.sum.x != 0.0f) {{ sum{index} += stage.sum.x * start[at{index}]; }}
        if (stage.sum.y != 0.0f) {{ sum{index} += stage.sum.y * sum[at{index}]; }}
        sum[at{index}] = sum{index};
"
        )
        .ok();
    }
    writeln!(text, "        next[at{index}] = next{index};\n    }}").ok();
    text
}

fn held_points(held: &[[bool; 2]; 3]) -> String {
    let mut conditions = Vec::new();
    for (axis, name) in ["x", "y", "z"].into_iter().enumerate() {
        if held[axis][0] {
            conditions.push(format!("id.{name} == 0u"));
        }
        if held[axis][1] {
            conditions.push(format!("id.{name} + 1u == grid.{name}"));
        }
    }
    if conditions.is_empty() { "false".into() } else { conditions.join(" || ") }
}

/// The array slots that each output reads, directly or through other results, at an offset along each axis (or none).
pub fn reads(program: &Program) -> Vec<Vec<(u16, [i8; 3])>> {
    let mut of_results: Vec<Vec<(u16, [i8; 3])>> = Vec::with_capacity(program.code.len());
    let gather = |operands: &[Operand], known: &[Vec<(u16, [i8; 3])>]| {
        let mut all = Vec::new();
        for operand in operands {
            match operand {
                Operand::Array { slot, offset } => all.push((*slot, *offset)),
                Operand::Result(index) => all.extend(known.get(*index as usize).into_iter().flatten().copied()),
                Operand::Uniform(_) | Operand::Coordinate(_) => {}
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    };
    for instruction in &program.code {
        let all = gather(instruction.used(), &of_results);
        of_results.push(all);
    }
    program.outputs.iter().map(|output| gather(&[*output], &of_results)).collect()
}
