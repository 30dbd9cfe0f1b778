//! Which transitions of a daemon are legal.
