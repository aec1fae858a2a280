//! Labs and the catalogue.
