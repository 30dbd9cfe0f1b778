//! How the programs end, and what they say.
