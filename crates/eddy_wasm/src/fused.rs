//! Instantiates the module of fused multiply-adds on this module's memory, where the browser takes it.

#![allow(clippy::too_many_arguments, reason = "the signatures are those of the module")]

use std::cell::OnceCell;

use eddy_experiments::fused_products::{self, Format, Fused};
use js_sys::{Object, Reflect, Uint8Array, WebAssembly};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// The exports of the instance.
    #[derive(Clone)]
    type Exports;
    #[wasm_bindgen(method)]
    fn product_f32(this: &Exports, a: u32, a_row: u32, a_column: u32, b: u32, c: u32, rows: u32, inner: u32, n: u32);
    #[wasm_bindgen(method)]
    fn product_f64(this: &Exports, a: u32, a_row: u32, a_column: u32, b: u32, c: u32, rows: u32, inner: u32, n: u32);
    #[wasm_bindgen(method)]
    fn add_product_transposed_f32(this: &Exports, a: u32, b: u32, c: u32, rows: u32, columns: u32, n: u32, c_row: u32);
    #[wasm_bindgen(method)]
    fn add_product_transposed_f64(this: &Exports, a: u32, b: u32, c: u32, rows: u32, columns: u32, n: u32, c_row: u32);
    #[wasm_bindgen(method)]
    fn tanh_f32(this: &Exports, x: u32, x_row: u32, y: u32, y_row: u32, bias: u32, rows: u32, n: u32, table: u32);
    #[wasm_bindgen(method)]
    fn tanh_f64(this: &Exports, x: u32, x_row: u32, y: u32, y_row: u32, bias: u32, rows: u32, n: u32, table: u32);
}

thread_local! {
    static EXPORTS: OnceCell<Exports> = const { OnceCell::new() };
}

fn product(format: Format, given: [usize; 8]) {
    let [a, a_row, a_column, b, c, rows, inner, n] = given.map(|g| g as u32);
    EXPORTS.with(|exports| match (exports.get(), format) {
        (Some(e), Format::F32) => e.product_f32(a, a_row, a_column, b, c, rows, inner, n),
        (Some(e), Format::F64) => e.product_f64(a, a_row, a_column, b, c, rows, inner, n),
        // `install` has set it before anybody got this function.
        (None, _) => {}
    });
}

fn add_product_transposed(format: Format, given: [usize; 7]) {
    let [a, b, c, rows, columns, n, c_row] = given.map(|g| g as u32);
    EXPORTS.with(|exports| match (exports.get(), format) {
        (Some(e), Format::F32) => e.add_product_transposed_f32(a, b, c, rows, columns, n, c_row),
        (Some(e), Format::F64) => e.add_product_transposed_f64(a, b, c, rows, columns, n, c_row),
        (None, _) => {}
    });
}

fn tanh(format: Format, given: [usize; 8]) {
    let [x, x_row, y, y_row, bias, rows, n, table] = given.map(|g| g as u32);
    EXPORTS.with(|exports| match (exports.get(), format) {
        (Some(e), Format::F32) => e.tanh_f32(x, x_row, y, y_row, bias, rows, n, table),
        (Some(e), Format::F64) => e.tanh_f64(x, x_row, y, y_row, bias, rows, n, table),
        (None, _) => {}
    });
}

fn exports() -> Result<Exports, JsValue> {
    let module = WebAssembly::Module::new(&Uint8Array::from(fused_products::MODULE).into())?;
    let (imports, env) = (Object::new(), Object::new());
    Reflect::set(&env, &"memory".into(), &wasm_bindgen::memory())?;
    Reflect::set(&imports, &"env".into(), &env)?;
    let instance = WebAssembly::Instance::new(&module, &imports)?;
    Ok(instance.exports().unchecked_into())
}

/// Lets networks use the fused products, if the browser has them and they compute rightly. Without them everything runs,
/// more slowly: browsers without relaxed SIMD refuse the module.
pub fn install() {
    if let Ok(found) = exports()
        && EXPORTS.with(|exports| exports.set(found).is_ok())
    {
        // SAFETY: the module's functions do what `Fused` says; its memory is ours.
        unsafe { fused_products::install(Fused { product, add_product_transposed, tanh }) };
    }
}

/// Whether the fused products are in use.
#[wasm_bindgen(js_name = hasFusedProducts)]
pub fn has_fused_products() -> bool {
    fused_products::is_installed()
}
