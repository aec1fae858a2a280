//! The equation language.
