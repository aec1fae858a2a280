//! Embeds shaders/: resolves imports, validates every kernel with naga, and writes its entry points, bindings and parameter
//! layout as constants. Fails on an invalid shader, on a kernel without a CPU twin and on an empty folder.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use naga::{AddressSpace, ShaderStage, StorageAccess, TypeInner};

fn main() {
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let shaders = here.join("../../shaders");
    println!("cargo:rerun-if-changed={}", shaders.display());
    println!("cargo:rerun-if-changed={}", here.join("src/cpu").display());
    println!("cargo:rerun-if-changed={}", here.join("build.rs").display());

    let mut domains: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut problems = Vec::new();
    for (domain, kernel) in kernels_in(&shaders) {
        match generate(&shaders, &here.join("src/cpu"), &domain, &kernel) {
            Ok(code) => domains.entry(domain).or_default().push((kernel, code)),
            Err(problem) => problems.push(format!("shaders/{domain}/{kernel}.wgsl: {problem}")),
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    assert!(!domains.is_empty(), "no kernels below {}", shaders.display());

    let mut out = String::new();
    let mut all = String::new();
    let mut layouts = String::new();
    for (domain, kernels) in &domains {
        writeln!(out, "pub mod {domain} {{ use super::*;").unwrap();
        for (kernel, code) in kernels {
            out.push_str(code);
            let constant = kernel.to_uppercase();
            writeln!(all, "&{domain}::{constant},").unwrap();
            writeln!(
                layouts,
                "(&{domain}::{constant}, <crate::cpu::{domain}::{kernel}::Params as Layout>::fields(), \
                 size_of::<crate::cpu::{domain}::{kernel}::Params>()),"
            )
            .unwrap();
        }
        out.push_str("}\n");
    }
    writeln!(out, "/// Every kernel, by name.\npub static KERNELS: &[&Kernel] = &[{all}];").unwrap();
    writeln!(
        out,
        "/// The parameter structs of the twins: kernel, leaf fields, size in bytes.\n\
         pub fn twin_layouts() -> Vec<(&'static Kernel, Vec<LayoutField>, usize)> {{ vec![{layouts}] }}"
    )
    .unwrap();
    let target = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")).join("kernels.rs");
    fs::write(target, out).expect("OUT_DIR can be written");
}

/// (domain, kernel) of every file `shaders/<domain>/<kernel>.wgsl`, sorted; `shared` holds imports only.
fn kernels_in(shaders: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let names = |dir: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        entries.map(|e| e.expect("a readable folder").path()).collect()
    };
    for domain in names(shaders).into_iter().filter(|p| p.is_dir() && !p.ends_with("shared")) {
        for file in names(&domain).into_iter().filter(|p| p.extension().is_some_and(|e| e == "wgsl")) {
            found.push((stem(&domain), stem(&file)));
        }
    }
    found.sort();
    found
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("a named file").to_string_lossy().into_owned()
}

/// The text of a file with each `// #import shared/<name>` replaced by that file, once, imports of imports included.
fn resolve(shaders: &Path, file: &str, open: &mut Vec<String>, done: &mut Vec<String>) -> Result<String, String> {
    if open.iter().any(|f| f == file) {
        return Err(format!("{file} imports itself: {}", open.join(" → ")));
    }
    open.push(file.to_owned());
    let path = shaders.join(format!("{file}.wgsl"));
    let text = fs::read_to_string(&path).map_err(|e| format!("import {file}: {e}"))?;
    let mut out = String::new();
    for line in text.lines() {
        let Some(import) = line.trim().strip_prefix("// #import ") else {
            // Comments do not travel in the bundle. WGSL has no strings that could hold "//".
            let code = line.split("//").next().unwrap_or_default().trim();
            if !code.is_empty() {
                out.push_str(code);
                out.push('\n');
            }
            continue;
        };
        let import = import.trim();
        if !import.starts_with("shared/") {
            return Err(format!("import {import}: imports live in shaders/shared"));
        }
        if !done.iter().any(|f| f == import) {
            out.push_str(&resolve(shaders, import, open, done)?);
            done.push(import.to_owned());
        }
    }
    open.pop();
    Ok(out)
}

/// The constants of one kernel as Rust code.
fn generate(shaders: &Path, twins: &Path, domain: &str, kernel: &str) -> Result<String, String> {
    let source = resolve(shaders, &format!("{domain}/{kernel}"), &mut Vec::new(), &mut Vec::new())?;
    let module = naga::front::wgsl::parse_str(&source).map_err(|e| e.emit_to_string(&source))?;
    naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty())
        .validate(&module)
        .map_err(|e| e.emit_to_string(&source))?;

    let mut entries = String::new();
    let mut compute = 0;
    for entry in &module.entry_points {
        let stage = match entry.stage {
            ShaderStage::Compute if entry.name == kernel => {
                compute += 1;
                "Compute"
            }
            ShaderStage::Vertex if entry.name == format!("{kernel}_vertex") => "Vertex",
            ShaderStage::Fragment if entry.name == format!("{kernel}_fragment") => "Fragment",
            stage => return Err(format!("entry point {} ({stage:?}) is not named after the file", entry.name)),
        };
        let [x, y, z] = entry.workgroup_size;
        write!(
            entries,
            "EntryPoint {{ name: {:?}, stage: Stage::{stage}, workgroup_size: [{x}, {y}, {z}] }},",
            entry.name
        )
        .unwrap();
    }
    if compute != 1 && module.entry_points.len() != 2 {
        return Err("needs one compute entry point, or a vertex and a fragment one".to_owned());
    }

    let mut globals = BTreeMap::new();
    let mut shared_bytes = 0;
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).map_err(|e| e.to_string())?;
    for (_, global) in module.global_variables.iter() {
        let name = global.name.clone().unwrap_or_default();
        let kind = match global.space {
            AddressSpace::Uniform => "Uniform",
            AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => "ReadWrite",
            AddressSpace::Storage { .. } => "Read",
            AddressSpace::WorkGroup => {
                shared_bytes += layouter[global.ty].size;
                continue;
            }
            _ => continue,
        };
        let binding = global.binding.as_ref().ok_or_else(|| format!("{name} has no binding"))?;
        if binding.group != 0 {
            return Err(format!("{name} is in group {}; kernels use group 0 only", binding.group));
        }
        globals.insert(binding.binding, (name, kind, global.ty));
    }
    if shared_bytes > 16384 {
        return Err(format!("{shared_bytes} bytes of workgroup memory; WebGPU grants 16384"));
    }
    if !globals.keys().copied().eq(0..globals.len() as u32) {
        return Err("bindings must count 0, 1, 2 …".to_owned());
    }
    let Some((_, (first, "Uniform", params))) = globals.first_key_value() else {
        return Err("binding 0 must be the uniform `params`".to_owned());
    };
    if first != "params" || globals.values().filter(|(_, kind, _)| *kind == "Uniform").count() != 1 {
        return Err("binding 0 must be the only uniform and be called params".to_owned());
    }
    if globals.len() - 1 > 8 {
        return Err(format!("{} storage buffers; WebGPU grants 8", globals.len() - 1));
    }

    let mut bindings = String::new();
    for (name, kind, _) in globals.values() {
        write!(bindings, "Binding {{ name: {name:?}, kind: BindingKind::{kind} }},").unwrap();
    }
    let mut fields = String::new();
    flatten(&module, *params, "", 0, &mut fields)?;
    let size = layouter[*params].size;

    let names: Vec<&str> = globals.values().map(|(name, ..)| name.as_str()).collect();
    check_twin(&twins.join(domain).join(format!("{kernel}.rs")), kernel, &names)?;

    Ok(format!(
        "pub static {}: Kernel = Kernel {{ name: \"{domain}/{kernel}\", source: {source:?}, entries: &[{entries}], \
         bindings: &[{bindings}], params: &[{fields}], params_size: {size} }};\n",
        kernel.to_uppercase()
    ))
}

/// The scalar leaves of a uniform struct with their offsets.
fn flatten(
    module: &naga::Module,
    ty: naga::Handle<naga::Type>,
    prefix: &str,
    base: u32,
    out: &mut String,
) -> Result<(), String> {
    match &module.types[ty].inner {
        TypeInner::Struct { members, .. } => {
            for member in members {
                let name = member.name.as_deref().unwrap_or_default();
                let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
                flatten(module, member.ty, &path, base + member.offset, out)?;
            }
            Ok(())
        }
        TypeInner::Scalar(scalar) if scalar.width == 4 => {
            let kind = match scalar.kind {
                naga::ScalarKind::Float => "F32",
                naga::ScalarKind::Uint => "U32",
                naga::ScalarKind::Sint => "I32",
                kind => return Err(format!("params.{prefix}: {kind:?} is not a uniform type here")),
            };
            write!(out, "StaticField {{ name: {prefix:?}, offset: {base}, kind: Scalar::{kind} }},").unwrap();
            Ok(())
        }
        inner => Err(format!("params.{prefix}: {inner:?}; params hold scalars and structs of scalars")),
    }
}

/// The twin is `pub fn <kernel>(…)` in src/cpu/<domain>/<kernel>.rs with arguments named as the bindings, in their order.
/// Drawing kernels have one more argument for what they draw.
fn check_twin(path: &Path, kernel: &str, bindings: &[&str]) -> Result<(), String> {
    let place = format!(
        "src/cpu/{}",
        path.iter()
            .rev()
            .take(2)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .map(|p| p.to_string_lossy())
            .collect::<Vec<_>>()
            .join("/")
    );
    let text = fs::read_to_string(path).map_err(|e| format!("has no twin {place} in eddy_kernels ({e})"))?;
    let head = format!("pub fn {kernel}(");
    let start = text.find(&head).ok_or_else(|| format!("{place} has no `{head}…)`"))? + head.len();
    let end = text[start..].find(") {").or_else(|| text[start..].find(") ->")).ok_or("twin without end")? + start;
    let mut depth = 0;
    let arguments: Vec<String> = text[start..end]
        .split(|c| {
            depth += i32::from(matches!(c, '<' | '[' | '(')) - i32::from(matches!(c, '>' | ']' | ')'));
            c == ',' && depth == 0
        })
        .filter_map(|a| a.split_once(':').map(|(name, _)| name.trim().to_owned()))
        .collect();
    let expected = arguments.get(..bindings.len()).unwrap_or(&arguments);
    if expected != bindings || arguments.len() > bindings.len() + 1 {
        return Err(format!("{place}: arguments {arguments:?}, bindings {bindings:?}"));
    }
    Ok(())
}
