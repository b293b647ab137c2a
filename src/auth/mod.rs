#![doc = include_str!("README.md")]
pub mod caller;
pub mod issuer;
mod key;
pub mod token;

#[cfg(test)]
mod tests;

pub use caller::{Caller, Professional, PurposeOfUse, System};
pub use issuer::{IssuerError, LocalIssuer, TokenRequest};
pub use key::KeyError;
pub use token::{KeySource, Trust, Verifier, bearer, challenge};
