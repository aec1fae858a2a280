//! Loads the modules of typed equations on this module's memory and calls them through its function table.

use std::cell::{Cell, RefCell};

use eddy_experiments::compiled_kernels::{self, Compiler, Entry, WasmModule};
use js_sys::{Function, Object, Reflect, Uint8Array, WebAssembly};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    fn warn(message: &str);
}

thread_local! {
    /// Places of the table that were released.
    static FREE: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    static HAS_WARNED: Cell<bool> = const { Cell::new(false) };
}

fn table() -> WebAssembly::Table {
    wasm_bindgen::function_table().unchecked_into()
}

fn load(module: &WasmModule) -> Result<u32, JsValue> {
    let table = table();
    let (imports, env, math) = (Object::new(), Object::new(), Object::new());
    Reflect::set(&env, &"memory".into(), &wasm_bindgen::memory())?;
    for call in &module.imports {
        let function = table.get(compiled_kernels::address(*call) as u32)?;
        Reflect::set(&math, &call.name().into(), &function)?;
    }
    Reflect::set(&imports, &"env".into(), &env)?;
    Reflect::set(&imports, &"math".into(), &math)?;
    let compiled = WebAssembly::Module::new(&Uint8Array::from(module.bytes.as_slice()).into())?;
    let instance = WebAssembly::Instance::new(&compiled, &imports)?;
    let run: Function = Reflect::get(&instance.exports(), &"run".into())?.dyn_into()?;
    let place = match FREE.with_borrow_mut(Vec::pop) {
        Some(place) => place,
        None => table.grow(1)?,
    };
    table.set(place, &run)?;
    Ok(place)
}

fn compile(module: &WasmModule) -> Option<Entry> {
    match load(module) {
        // SAFETY: a function pointer is an index into the table, and at this one stands a function of this signature.
        Ok(place) => Some(unsafe { std::mem::transmute::<usize, Entry>(place as usize) }),
        Err(error) => {
            if !HAS_WARNED.replace(true) {
                let why = error.dyn_ref::<js_sys::Error>().map_or_else(String::new, |e| String::from(e.message()));
                warn(&format!(
                    "Typed equations run in the interpreter, several times slower: the browser did not take a compiled \
                     module ({why}). Where the page has a content security policy, add 'wasm-unsafe-eval' to script-src."
                ));
            }
            None
        }
    }
}

fn release(entry: Entry) {
    FREE.with_borrow_mut(|free| free.push(entry as usize as u32));
}

/// Lets typed equations compile their kernels.
pub fn install() {
    // SAFETY: `compile` gives the `run` of the module on this memory; its place is not used again before it is released.
    unsafe { compiled_kernels::install(Compiler { compile, release }) };
}
