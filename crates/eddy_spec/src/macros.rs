/// Declares an enumeration whose variants have a stable text key; the doc comment of a variant is its label.
///
/// ```
/// eddy_spec::choice! { pub enum Grid {
///     /// uniform in t
///     Uniform = "uniform",
///     Quadratic = "quadratic",
/// } }
/// assert_eq!(Grid::Uniform.key(), "uniform");
/// assert_eq!(Grid::Uniform.label(), "uniform in t");
/// ```
#[macro_export]
macro_rules! choice {
    ($(#[doc = $outer:literal])* $vis:vis enum $name:ident { $( $(#[doc = $doc:literal])* $variant:ident = $key:literal ),+ $(,)? }) => {
        $(#[doc = $outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $vis enum $name { $( $(#[doc = $doc])* $variant ),+ }

        #[allow(dead_code, reason = "not every choice is walked by its owner")]
        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// Stable text used in permalinks.
            pub fn key(self) -> &'static str {
                match self { $(Self::$variant => $key),+ }
            }
            /// Text of the control.
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => {
                    let doc: &str = concat!("", $($doc),*);
                    if doc.is_empty() { $key } else { doc.trim_ascii() }
                }),+ }
            }
        }

        impl $crate::ParamType for $name {
            fn parse(text: &str) -> Result<Self, &'static str> {
                match text { $($key => Ok(Self::$variant),)+ _ => Err("one of its options") }
            }
            fn print(&self) -> String {
                self.key().to_owned()
            }
            fn options() -> Vec<(&'static str, &'static str)> {
                Self::ALL.iter().map(|v| (v.key(), v.label())).collect()
            }
        }
    };
}

/// Declares a typed parameter struct and its table in one place: key, type, default, range, scale, symbol, live or not.
///
/// ```
/// use eddy_spec::ParamTable;
/// eddy_spec::params! { pub struct Params {
///     /// Function evaluations per sample.
///     nfe: u32 = 10 => steps(2, 200).symbol("N").live(),
///     /// Width of a mode. Standard deviation of each Gaussian.
///     sd: f64 = 0.1 => range(0.01, 0.5).symbol("\\sigma"),
/// } }
/// let mut p = Params::default();
/// assert!(p.set("nfe", "500").is_err());
/// p.set("nfe", "20").unwrap();
/// assert_eq!(p.nfe, 20);
/// assert_eq!(Params::table()[1].label, "Width of a mode");
/// ```
#[macro_export]
macro_rules! params {
    ($(#[doc = $outer:literal])* $vis:vis struct $name:ident {
        $( $(#[doc = $doc:literal])+ $field:ident : $ty:ty = $default:expr => $spec:expr ),* $(,)?
    }) => {
        $(#[doc = $outer])*
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $name { $( $(#[doc = $doc])+ pub $field: $ty ),* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),* }
            }
        }

        impl $crate::ParamTable for $name {
            fn table() -> &'static [$crate::ParamSpec] {
                static TABLE: $crate::private::OnceLock<Vec<$crate::ParamSpec>> = $crate::private::OnceLock::new();
                TABLE.get_or_init(|| {
                    #[allow(unused_imports, reason = "a table need not use every kind of control")]
                    use $crate::{choice, drawing, expression, log, range, seed, steps, toggle};
                    let defaults = Self::default();
                    vec![$(
                        $crate::private::spec_for::<$ty>(stringify!($field), concat!($($doc),+), &defaults.$field, $spec)
                    ),*]
                })
            }

            fn set(&mut self, key: &str, text: &str) -> Result<$crate::Effect, $crate::ParamError> {
                let table = <Self as $crate::ParamTable>::table();
                let Some(spec) = table.iter().find(|s| s.key == key) else {
                    return Err($crate::ParamError::Unknown {
                        key: key.to_owned(),
                        known: table.iter().map(|s| s.key).collect(),
                    });
                };
                $( if key == stringify!($field) {
                    self.$field = $crate::private::parse_checked::<$ty>(spec, text)?;
                } )*
                Ok(if spec.live { $crate::Effect::Live } else { $crate::Effect::Restart })
            }

            fn get(&self, key: &str) -> Option<String> {
                $( if key == stringify!($field) {
                    return Some(<$ty as $crate::ParamType>::print(&self.$field));
                } )*
                None
            }
        }
    };
}
