//! A picture in place of a field.

use eddy_solve::evaluate::Scalar;

use super::TypedRun;
use crate::Picture;

impl<R: Scalar> TypedRun<R> {
    /// Stretches the picture over the plane of the field shown: its black becomes the field's smallest value and its white
    /// the largest; where the field is constant they become 0 and 1. The other fields stay. `None` where the field is no
    /// plane that steps.
    pub(super) fn put_picture(&mut self, picture: &Picture) -> Option<()> {
        let grid = self.statement().grid.clone();
        if grid.dimension() != 2 || !picture.is_sound() {
            return None;
        }
        let component = self.component();
        let mut values = self.values().to_vec();
        let field = values.get_mut(component.field)?;
        let is_stepped = self
            .statement()
            .stepped()
            .iter()
            .any(|variable| self.statement().system.variables[usize::from(*variable)].name == field.name);
        if !is_stepped {
            return None;
        }
        let part = if component.is_imaginary() { &mut field.im } else { &mut field.re };
        let (least, most) = part.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
        let (black, white) = if most - least > 1e-9 * most.abs().max(1e-300) { (least, most) } else { (0.0, 1.0) };
        let [nx, ny, _] = grid.shape();
        for (index, value) in part.iter_mut().enumerate() {
            // Points stand in the middle of their cells, as the pixels do in theirs.
            let (x, y) = ((index % nx) as f64 + 0.5, (index / nx) as f64 + 0.5);
            *value = black + (white - black) * picture.at(x / nx as f64, y / ny as f64);
        }
        self.simulation.set_values(&values).ok()?;
        self.load_device().then_some(())
    }
}
