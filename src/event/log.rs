//! Positions in the log, and the scan over what was recorded.
