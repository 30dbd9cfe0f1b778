//! The registry of one-shot waits, and the judge of which record ends which.
