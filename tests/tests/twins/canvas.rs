//! draw/colormap: pixels of a texture against the twin.

use eddy_gpu::{ColourMap, FieldSource, PaintStyle};
use eddy_kernels::cpu::draw::colormap::{Params, colormap};

use crate::harness::{gpu, noise};

/// Neighbouring colours differ by one level in red and blue and by far more in the pair.
fn ramp() -> [[u8; 4]; 256] {
    std::array::from_fn(|i| [i as u8, (i / 2) as u8, 255 - i as u8, 255])
}

/// Largest difference of a channel, and the share of pixels that differ at all.
fn difference(a: &[u32], b: &[u32]) -> (u8, f64) {
    assert_eq!(a.len(), b.len());
    let channels = |p: &u32| p.to_le_bytes();
    let pairs = a.iter().zip(b);
    let largest = pairs.flat_map(|(a, b)| channels(a).into_iter().zip(channels(b))).map(|(a, b)| a.abs_diff(b)).max();
    let differing = a.iter().zip(b).filter(|(a, b)| a != b).count();
    (largest.unwrap_or(0), differing as f64 / a.len() as f64)
}

#[test]
fn pixels_equal_the_twin() {
    let Some(gpu) = gpu() else { return };
    pollster::block_on(async {
        let colours = ColourMap::new(gpu, &ramp()).expect("a table");
        let packed: Vec<u32> = ramp().iter().map(|c| u32::from_le_bytes(*c)).collect();
        let mut canvas = gpu.texture_canvas(8, 8).await.expect("a texture");
        for (nx, ny, width, height) in [(1, 1, 3, 2), (16, 16, 16, 16), (13, 7, 70, 33), (64, 32, 20, 50)] {
            let offset = 5;
            let mut values = noise(offset + nx * ny, 21);
            if nx == 16 {
                (values[40], values[90]) = (f32::NAN, f32::INFINITY);
            }
            let buffer = gpu.storage_from("field", &values).expect("a field");
            let field = FieldSource { buffer, nx, ny, offset };
            canvas.resize(width, height).expect("a size");
            for (is_smooth, is_flipped) in [(false, false), (false, true), (true, false), (true, true)] {
                // Bilinear weights of a NaN are NaN on both sides but at the edge of its cell, where rounding decides.
                if is_smooth && nx == 16 {
                    continue;
                }
                let style = PaintStyle { low: -0.8, high: 0.9, is_smooth, is_flipped };
                assert!(canvas.paint(&field, &colours, &style).expect("drawn"));
                let pixels = canvas.read_pixels().await.expect("pixels");
                let mut params = Params {
                    nx: nx as u32,
                    ny: ny as u32,
                    offset: offset as u32,
                    is_flipped: u32::from(is_flipped),
                    is_smooth: u32::from(is_smooth),
                    low: -0.8,
                    high: 0.9,
                    width: width as f32,
                    height: height as f32,
                };
                let mut expected = vec![0; pixels.len()];
                colormap(&params, &values, &packed, &mut expected);
                // A value on the border of two colours may fall to either: one level, in few pixels.
                let (level, share) = difference(&pixels, &expected);
                assert!(level <= 1 && share < 0.05, "{nx} × {ny} {style:?}: {level} levels, {share} of the pixels");
                if nx > 1 {
                    params.low = -0.7;
                    colormap(&params, &values, &packed, &mut expected);
                    let (level, share) = difference(&pixels, &expected);
                    assert!(level > 1 || share >= 0.05, "a shifted range must show");
                }
            }
        }
    });
}

#[test]
fn a_range_without_width_and_a_field_beyond_its_buffer_are_handled() {
    let Some(gpu) = gpu() else { return };
    pollster::block_on(async {
        let colours = ColourMap::new(gpu, &ramp()).expect("a table");
        let mut canvas = gpu.texture_canvas(4, 4).await.expect("a texture");
        let buffer = gpu.storage_from("field", &[2.0f32; 4]).expect("a field");
        let field = FieldSource { buffer, nx: 2, ny: 2, offset: 0 };
        for (low, high) in [(2.0, 2.0), (f32::NAN, 1.0)] {
            let style = PaintStyle { low, high, is_smooth: false, is_flipped: false };
            canvas.paint(&field, &colours, &style).expect("drawn");
            let pixels = canvas.read_pixels().await.expect("pixels");
            assert!(pixels.iter().all(|p| p >> 24 == 255), "opaque: the values are finite");
        }
        let outside = FieldSource { offset: 1, ..field };
        let style = PaintStyle { low: 0.0, high: 1.0, is_smooth: false, is_flipped: false };
        assert_eq!(canvas.paint(&outside, &colours, &style).expect_err("outside").code(), "shape");
        assert_eq!(gpu.texture_canvas(0, 4).await.err().expect("empty").code(), "shape");
        assert_eq!(gpu.texture_canvas(1 << 20, 4).await.err().expect("huge").code(), "limit");
    });
}
