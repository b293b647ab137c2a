//! Rules of the translation, each on a small document written by hand.
