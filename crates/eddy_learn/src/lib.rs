//! Networks with structure, on burn.
