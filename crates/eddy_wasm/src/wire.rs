//! Rust values as what crosses the boundary.

use eddy_experiments::spec::{EddyError, ViewData};
use js_sys::{Float32Array, Object, Reflect};
use serde::Serialize;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

/// The only place where an error becomes a JavaScript value: an `Error` with `code` and `key`.
pub fn js_error(e: EddyError) -> JsValue {
    let error = js_sys::Error::new(&e.message);
    // Setting a property of a fresh object cannot fail.
    let _ = Reflect::set(&error, &"code".into(), &e.code.into());
    if let Some(key) = e.key {
        let _ = Reflect::set(&error, &"key".into(), &key.into());
    }
    if let Some((key, value)) = e.repair {
        let _ = Reflect::set(&error, &"repair".into(), &js_sys::Array::of2(&key.into(), &value.into()));
    }
    error.into()
}

/// JSON text of a value.
pub fn json_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// A view as `{ header: string, data: Float32Array }`. The header is JSON and says how the numbers lie:
/// - field: `{kind, nx, ny, x, y, range}`; data = nx·ny values, row 0 at the bottom
/// - volume: `{kind, nx, ny, nz, x, y, z, range}`; data = nz layers, each as a field
/// - lines: `{kind, x, y, series: [{name, role, marker, length}]}`; data = for each series its xs then its ys
/// - points: `{kind, count, x, y, range, trails, trailLength, backdrop: {nx, ny, x, y, range} | null}`;
///   data = count x, y pairs; count values; trails·trailLength x, y pairs; the backdrop
/// - mesh: `{kind, count, triangles, x, y, range}`; data = count x, y pairs; count values; three indices per triangle
/// - empty: `{kind}`
pub fn view_payload(view: &ViewData) -> Result<JsValue, JsValue> {
    let mut data: Vec<f32> = Vec::new();
    let header = match view {
        ViewData::Field { nx, ny, data: field, x, y, range } => {
            data.extend_from_slice(field);
            json!({ "kind": "field", "nx": nx, "ny": ny, "x": [x.0, x.1], "y": [y.0, y.1], "range": [range.0, range.1] })
        }
        ViewData::Volume { shape: [nx, ny, nz], data: field, x, y, z, range } => {
            data.extend_from_slice(field);
            json!({
                "kind": "volume", "nx": nx, "ny": ny, "nz": nz, "x": [x.0, x.1], "y": [y.0, y.1], "z": [z.0, z.1],
                "range": [range.0, range.1],
            })
        }
        ViewData::Lines { series, x, y } => {
            let mut list: Vec<Value> = Vec::new();
            for s in series {
                let length = s.xs.len().min(s.ys.len());
                data.extend(s.xs[..length].iter().map(|v| *v as f32));
                data.extend(s.ys[..length].iter().map(|v| *v as f32));
                list.push(json!({ "name": s.name, "role": s.role, "marker": s.marker, "length": length }));
            }
            json!({ "kind": "lines", "x": [x.0, x.1], "y": [y.0, y.1], "series": list })
        }
        ViewData::Points { positions, values, range, trails, trail_len, backdrop, x, y } => {
            let count = positions.len() / 2;
            data.extend_from_slice(positions);
            data.extend((0..count).map(|i| values.get(i).copied().unwrap_or(0.0)));
            data.extend_from_slice(trails);
            let backdrop = match backdrop.as_deref() {
                Some(ViewData::Field { nx, ny, data: field, x, y, range }) => {
                    data.extend_from_slice(field);
                    json!({ "nx": nx, "ny": ny, "x": [x.0, x.1], "y": [y.0, y.1], "range": [range.0, range.1] })
                }
                _ => Value::Null,
            };
            let trails = if *trail_len == 0 { 0 } else { trails.len() / 2 / trail_len };
            json!({
                "kind": "points", "count": count, "x": [x.0, x.1], "y": [y.0, y.1], "range": [range.0, range.1],
                "trails": trails, "trailLength": trail_len, "backdrop": backdrop,
            })
        }
        ViewData::Mesh { positions, values, triangles, range, x, y } => {
            data.extend_from_slice(positions);
            data.extend_from_slice(values);
            // Indices below 2^24 are exact in single precision.
            data.extend(triangles.iter().map(|index| *index as f32));
            json!({
                "kind": "mesh", "count": values.len(), "triangles": triangles.len() / 3, "x": [x.0, x.1], "y": [y.0, y.1],
                "range": [range.0, range.1],
            })
        }
        ViewData::Empty => json!({ "kind": "empty" }),
    };
    let out = Object::new();
    Reflect::set(&out, &"header".into(), &header.to_string().into())?;
    Reflect::set(&out, &"data".into(), &Float32Array::from(&data[..]).into())?;
    Ok(out.into())
}
