//! The only source of settings.
