//! Pieces of a Python script with JAX: residuals of a system whose fields are functions of the point, `u(x, t)`, and whose
//! derivatives are taken by automatic differentiation, `d(u, 2, 0)(x, t)`.

use super::numpy::{Fields, Writer, of_expression};
use crate::{
    check::Integral,
    expression::Expression,
    ir::{Id, Leaf, Op2},
    system::System,
};

/// One equation as Python text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The field whose equation it is.
    pub variable: u16,
    /// Order in time of what stands on the left; 0 for an elliptic line, whose `text` is left less right.
    pub order: u8,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JaxError {
    #[error("the script knows no integrals over the domain")]
    Integral,
    #[error("the script knows no noise")]
    Noise,
    #[error("JAX has no Bessel functions of any order")]
    Bessel,
    #[error("the equations are too long for a script")]
    TooLong,
}

impl System {
    /// Right sides of the equations, those of algebraic fields put in; `arguments` are the coordinates that fields are
    /// called with, `t` last where there is time.
    pub fn jax_lines(&mut self, arguments: &[&'static str]) -> Result<Vec<Line>, JaxError> {
        let lines = self.residual_lines();
        let roots: Vec<Id> = lines.iter().map(|line| line.2).collect();
        let texts = self.jax_texts(&roots, arguments, false)?;
        let line = |((variable, order, _), text)| Line { variable, order, text };
        Ok(lines.into_iter().zip(texts).map(line).collect())
    }

    /// Conditions on integrals, each the node whose value is to vanish, with `integral(lambda x: …)` and `mean(lambda x: …)`.
    pub fn jax_conditions(&mut self, nodes: &[Id], arguments: &[&'static str]) -> Result<Vec<String>, JaxError> {
        self.jax_texts(nodes, arguments, true)
    }

    fn jax_texts(
        &mut self,
        roots: &[Id],
        arguments: &[&'static str],
        knows_integrals: bool,
    ) -> Result<Vec<String>, JaxError> {
        let roots = self.inlined(roots).map_err(|_| JaxError::TooLong)?;
        let mut all = roots.clone();
        let mut integrals = Vec::new();
        if knows_integrals {
            let integrands: Vec<Id> = self.integrals.iter().map(|integral| integral.integrand).collect();
            let integrands = self.inlined(&integrands).map_err(|_| JaxError::TooLong)?;
            let with = |(integral, integrand): (&Integral, &Id)| Integral { integrand: *integrand, ..*integral };
            integrals = self.integrals.iter().zip(&integrands).map(with).collect();
            all.extend(integrands);
        }
        for leaf in self.graph.leaves(&all) {
            match leaf {
                Leaf::Integral(_) if !knows_integrals => return Err(JaxError::Integral),
                Leaf::Noise(_) => return Err(JaxError::Noise),
                _ => {}
            }
        }
        let system = &*self;
        let needed = system.graph.reachable(&all);
        let is_bessel = |op: Op2| matches!(op, Op2::BesselJ | Op2::BesselY | Op2::BesselI | Op2::BesselK);
        if system
            .graph
            .nodes()
            .any(|(id, node)| matches!(node, crate::ir::Node::Binary(op, ..) if needed[id.index()] && is_bessel(op)))
        {
            return Err(JaxError::Bessel);
        }
        let text = |root: &Id| {
            let mut writer = Writer::inline_of(&system.graph, system);
            writer.fields = Fields::Functions(arguments.to_vec());
            writer.integrals = &integrals;
            let text = writer.text(*root);
            if writer.is_too_long { Err(JaxError::TooLong) } else { Ok(text) }
        };
        roots.iter().map(text).collect()
    }

    /// An expression in the coordinates and parameters as Python text; `time` stands for t. Fields that it reads are zero.
    pub fn python(&self, expression: &Expression, time: &'static str) -> String {
        of_expression(self, expression, time)
    }
}

#[cfg(test)]
mod tests {
    use crate::system::{Options, System};

    fn lines(text: &str, arguments: &[&'static str]) -> Result<Vec<String>, super::JaxError> {
        let mut system = System::parse(text, &Options::default()).unwrap();
        Ok(system.jax_lines(arguments)?.into_iter().map(|line| line.text).collect())
    }

    #[test]
    fn fields_are_functions_of_the_point() {
        let heat = lines("u_t = D*dxx(u) - u*dx(u); D = 0.1", &["x", "t"]).unwrap();
        assert!(heat[0].contains("d(u, 2, 0)(x, t)") && heat[0].contains("d(u, 1, 0)(x, t)"), "{heat:?}");
        let porous = lines("u_t = dx(u^2*dx(u))", &["x", "t"]).unwrap();
        assert!(porous[0].contains("d(lambda x, t:"), "{porous:?}");
        let wave = lines("u_tt = dxx(u) - 0.1*u_t", &["x", "t"]).unwrap();
        assert!(wave.len() == 1 && wave[0].contains("d(u, 0, 1)(x, t)"), "{wave:?}");
        let sum = lines("u_t = s + dxx(s); s = u^3", &["x", "t"]).unwrap();
        assert!(sum.len() == 1 && sum[0].contains("u(x, t)") && !sum[0].contains('s'), "{sum:?}");
        let mut system = System::parse("u_t = s; s = u^2; c = mean(s*dx(u)) - 2*t", &Options::default()).unwrap();
        let node = system.take(system.variable("c").unwrap()).unwrap();
        let text = &system.jax_conditions(&[node], &["x", "t"]).unwrap()[0];
        assert!(
            text.contains("mean(lambda x, t: ") && text.contains("d(u, 1, 0)(x, t)") && !text.contains('s'),
            "{text}"
        );
        let refused = lines("u_t = dxx(u) - mean(u)", &["x", "t"]).unwrap_err();
        assert_eq!(refused, super::JaxError::Integral);
    }
}
