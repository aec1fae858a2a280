//! Writes the module of fused multiply-adds that `src/fused.rs` describes, instruction by instruction: compilers for
//! WebAssembly fold no constant offsets into the loads, and use the fused instructions everywhere or nowhere.
//!
//! Each inner loop is one step of the sums. With more of them in one block, browsers put the products of one sum one after
//! the other, and wait for each.

mod emit;
mod products;
mod tanh;

use std::path::PathBuf;

use emit::Format;
use products::{add_product_transposed, product};
use tanh::tanh;
use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, FunctionSection, ImportSection, MemoryType, Module, TypeSection, ValType,
};

/// The module's bytes. It imports `env.memory` and exports each function as `name_f32` and `name_f64`.
fn module() -> Vec<u8> {
    let mut types = TypeSection::new();
    let mut imports = ImportSection::new();
    let memory = MemoryType { minimum: 0, maximum: None, memory64: false, shared: false, page_size_log2: None };
    imports.import("env", "memory", memory);
    let mut functions = FunctionSection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();
    for (suffix, format) in [("f32", Format::F32), ("f64", Format::F64)] {
        for (name, parameters, body) in [
            ("product", 8, product(format)),
            ("add_product_transposed", 7, add_product_transposed(format)),
            ("tanh", 8, tanh(format)),
        ] {
            exports.export(&format!("{name}_{suffix}"), ExportKind::Func, functions.len());
            functions.function(types.len());
            types.ty().function(vec![ValType::I32; parameters], []);
            code.function(&body);
        }
    }
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&exports).section(&code);
    module.finish()
}

fn main() {
    println!("cargo:rerun-if-changed=fused");
    let target = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")).join("fused.wasm");
    std::fs::write(target, module()).expect("OUT_DIR can be written");
}
