//! The operations of the graph: names, real arithmetic, cost.

use std::{fmt, str::FromStr};

use crate::special;

macro_rules! operations {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal, $cost:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Name in the language and in dumps.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Cost of one evaluation, in additions; rough figures for a SIMD lane on a current CPU.
            pub const fn cost(self) -> u32 {
                match self { $(Self::$variant => $cost,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text { $($text => Ok(Self::$variant),)* _ => Err(format!("no operation {text}")) }
            }
        }
    };
}

operations! {
    /// Operations on one value. `not` takes and gives a truth value; `conj re im arg` matter for complex values.
    Op1 {
        Neg = "neg", 1;
        Abs = "abs", 1;
        Sign = "sign", 3;
        Floor = "floor", 2;
        Ceil = "ceil", 2;
        /// To the nearest whole number, halves to even.
        Round = "round", 2;
        Sqrt = "sqrt", 6;
        Exp = "exp", 15;
        Log = "log", 15;
        Sin = "sin", 15;
        Cos = "cos", 15;
        Tan = "tan", 20;
        Asin = "asin", 20;
        Acos = "acos", 20;
        Atan = "atan", 20;
        Sinh = "sinh", 20;
        Cosh = "cosh", 20;
        Tanh = "tanh", 20;
        Asinh = "asinh", 25;
        Acosh = "acosh", 25;
        Atanh = "atanh", 25;
        Erf = "erf", 30;
        Erfc = "erfc", 30;
        Gamma = "gamma", 40;
        LogGamma = "lgamma", 40;
        Digamma = "digamma", 40;
        Not = "not", 1;
        Conj = "conj", 1;
        Re = "re", 1;
        Im = "im", 1;
        Arg = "arg", 20;
    }
}

operations! {
    /// Operations on two values. Comparisons give truth values, `and or` take them. The order of a Bessel
    /// function is its first operand, a whole constant.
    Op2 {
        Add = "+", 1;
        Sub = "-", 1;
        Mul = "*", 1;
        Div = "/", 4;
        Pow = "^", 30;
        Min = "min", 1;
        Max = "max", 1;
        Atan2 = "atan2", 20;
        /// a - b*floor(a/b): the sign of b, as in Python.
        Mod = "mod", 8;
        Less = "<", 1;
        LessEqual = "<=", 1;
        Equal = "==", 1;
        And = "and", 1;
        Or = "or", 1;
        BesselJ = "besselj", 60;
        BesselY = "bessely", 60;
        BesselI = "besseli", 60;
        BesselK = "besselk", 60;
    }
}

impl Op1 {
    /// Value for a real operand; truth values are 0 and 1.
    pub fn eval(self, x: f64) -> f64 {
        match self {
            Self::Neg => -x,
            Self::Abs => x.abs(),
            Self::Sign => {
                if x > 0.0 {
                    1.0
                } else if x < 0.0 {
                    -1.0
                } else {
                    x
                }
            }
            Self::Floor => x.floor(),
            Self::Ceil => x.ceil(),
            Self::Round => x.round_ties_even(),
            Self::Sqrt => x.sqrt(),
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
            Self::Tan => x.tan(),
            Self::Asin => x.asin(),
            Self::Acos => x.acos(),
            Self::Atan => x.atan(),
            Self::Sinh => x.sinh(),
            Self::Cosh => x.cosh(),
            Self::Tanh => x.tanh(),
            Self::Asinh => x.asinh(),
            Self::Acosh => x.acosh(),
            Self::Atanh => x.atanh(),
            Self::Erf => libm::erf(x),
            Self::Erfc => libm::erfc(x),
            Self::Gamma => libm::tgamma(x),
            Self::LogGamma => libm::lgamma(x),
            Self::Digamma => special::digamma(x),
            Self::Not => f64::from(x == 0.0),
            Self::Conj | Self::Re => x,
            Self::Im => 0.0,
            Self::Arg => {
                if x < 0.0 {
                    std::f64::consts::PI
                } else {
                    0.0
                }
            }
        }
    }
}

impl Op2 {
    /// Value for real operands; truth values are 0 and 1.
    pub fn eval(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Pow => a.powf(b),
            Self::Min => {
                if b < a {
                    b
                } else {
                    a
                }
            }
            Self::Max => {
                if b > a {
                    b
                } else {
                    a
                }
            }
            Self::Atan2 => a.atan2(b),
            Self::Mod => a - b * (a / b).floor(),
            Self::Less => f64::from(a < b),
            Self::LessEqual => f64::from(a <= b),
            Self::Equal => f64::from(a == b),
            Self::And => f64::from(a != 0.0 && b != 0.0),
            Self::Or => f64::from(a != 0.0 || b != 0.0),
            Self::BesselJ => special::bessel_j(a as i32, b),
            Self::BesselY => special::bessel_y(a as i32, b),
            Self::BesselI => special::bessel_i(a as i32, b),
            Self::BesselK => special::bessel_k(a as i32, b),
        }
    }

    /// Whether the operands may be swapped without changing a bit of the result.
    pub const fn is_commutative(self) -> bool {
        matches!(self, Self::Add | Self::Mul | Self::Equal | Self::And | Self::Or)
    }

    /// Whether the result is a truth value.
    pub const fn gives_truth(self) -> bool {
        matches!(self, Self::Less | Self::LessEqual | Self::Equal | Self::And | Self::Or)
    }

    pub const fn is_bessel(self) -> bool {
        matches!(self, Self::BesselJ | Self::BesselY | Self::BesselI | Self::BesselK)
    }
}
