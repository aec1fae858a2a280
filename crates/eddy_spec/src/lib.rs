//! Eddy's vocabulary.
